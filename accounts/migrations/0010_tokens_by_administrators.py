"""Tokens that administrators make for people. Code of the release before makes none of these."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('accounts', '0009_outside_codes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='token',
            options={
                'default_permissions': ('add', 'view', 'change'),
                'ordering': ('-created_at', '-id'),
                'verbose_name': 'token',
                'verbose_name_plural': 'tokens',
            },
        ),
        online.AddField(
            model_name='token',
            name='made_by',
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name='+',
                to=settings.AUTH_USER_MODEL,
                verbose_name='made by',
            ),
        ),
    ]
