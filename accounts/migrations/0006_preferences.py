"""Language and time zone of an account. Code of the release before makes rows without: a default."""

from django.db import models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('accounts', '0005_words_of_names'),
    ]

    operations = [
        online.AddField(
            model_name='user',
            name='language',
            field=models.CharField(blank=True, db_default='', default='', max_length=12),
        ),
        online.AddField(
            model_name='user',
            name='time_zone',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
    ]
