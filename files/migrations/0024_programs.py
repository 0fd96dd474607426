"""What programs do: the token of a download under way, and answers that are given once more."""

import django.utils.timezone
from django.db import models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('files', '0023_what_ends_soon'),
    ]

    operations = [
        online.AddField(
            model_name='downloadsession',
            name='token_id',
            field=models.BigIntegerField(help_text="The program's token, if it was one.", null=True),
        ),
        online.AddField(
            model_name='downloadsession',
            name='token_name',
            field=models.CharField(blank=True, db_default='', default='', max_length=60),
        ),
        online.CreateModel(
            name='KeptAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_id', models.BigIntegerField()),
                ('key', models.CharField(max_length=64)),
                ('request', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField()),
                ('body', models.JSONField(default=dict)),
                ('made_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('token_id', 'key'), name='keptanswer_once')],
            },
        ),
    ]
