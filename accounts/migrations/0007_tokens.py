"""Tokens of programs. Code of the release before knows none, and lets none in."""

import django.db.models.deletion
from django.conf import settings
from django.db import models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('accounts', '0006_preferences'),
    ]

    operations = [
        online.CreateModel(
            name='Token',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('scopes', models.CharField(help_text='With spaces between them.', max_length=60, verbose_name='scopes')),
                ('folder_id', models.UUIDField(blank=True, null=True, verbose_name='folder')),
                ('networks', models.TextField(blank=True, help_text='CIDR, with spaces between them; empty: anywhere.', verbose_name='addresses')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='made')),
                ('expires_at', models.DateTimeField(verbose_name='until')),
                ('last_used_at', models.DateTimeField(blank=True, null=True, verbose_name='last used')),
                ('last_used_from', models.CharField(blank=True, default='', max_length=45, verbose_name='from')),
                ('revoked_at', models.DateTimeField(blank=True, null=True, verbose_name='revoked')),
                ('revoked_by', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'token',
                'verbose_name_plural': 'tokens',
                'ordering': ('-created_at', '-id'),
                'default_permissions': ('view', 'change'),
                'indexes': [models.Index(fields=['user', '-created_at'], name='token_of_user')],
            },
        ),
    ]
