"""What a download by a link was charged, and may have sent, so that a killed one gives back."""

from django.db import models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('files', '0029_grants_of_many'),
    ]

    operations = [
        online.AddField(
            model_name='linkdownload',
            name='promised',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        online.AddField(
            model_name='linkdownload',
            name='noted',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
    ]
