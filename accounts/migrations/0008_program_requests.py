"""Programs that ask for a token. Code of the release before lets none ask."""

import django.db.models.deletion
from django.conf import settings
from django.db import models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('accounts', '0007_tokens'),
    ]

    operations = [
        online.CreateModel(
            name='ProgramRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('secret', models.CharField(editable=False, max_length=64, unique=True)),
                ('typed', models.CharField(blank=True, db_index=True, default='', editable=False, max_length=64)),
                ('name', models.CharField(max_length=60)),
                ('scopes', models.CharField(max_length=60)),
                ('address', models.CharField(blank=True, max_length=45)),
                ('challenge', models.CharField(blank=True, default='', max_length=43)),
                ('redirect_uri', models.CharField(blank=True, default='', max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('asked_at', models.DateTimeField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('is_refused', models.BooleanField(default=False)),
                ('token_until', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
