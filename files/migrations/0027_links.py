"""Links for people outside. Code of the release before knows none, and lets none in."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('files', '0026_requests'),
    ]

    operations = [
        online.AddField(
            model_name='downloadsession',
            name='link_id',
            field=models.BigIntegerField(help_text='The link that somebody outside came by.', null=True),
        ),
        online.CreateModel(
            name='Link',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('label', models.CharField(blank=True, max_length=100)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('password', models.CharField(blank=True, editable=False, max_length=255)),
                ('addresses', models.TextField(blank=True, help_text='Addresses, and domains as @example.org, with spaces between them.')),
                ('most', models.PositiveIntegerField(blank=True, help_text='How many downloads there may be; empty: any number.', null=True)),
                ('used', models.PositiveIntegerField(default=0, editable=False)),
                ('charged', models.PositiveBigIntegerField(default=0, editable=False, help_text='Bytes that were sent, and those that running downloads may send.')),
                ('opened', models.PositiveIntegerField(default=0, editable=False)),
                ('attempts', models.PositiveIntegerField(default=0, editable=False)),
                ('last_opened_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('ended_at', models.DateTimeField(blank=True, editable=False, help_text='When the log was told that it is over.', null=True)),
                ('file', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='links', to='files.filerecord')),
                ('folder', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='links', to='files.folder')),
                ('maker', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='links', to=settings.AUTH_USER_MODEL)),
                ('revoked_by', models.ForeignKey(blank=True, db_constraint=False, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'link',
                'verbose_name_plural': 'links',
                'ordering': ['-created_at', '-id'],
                'default_permissions': ('add', 'view', 'change'),
            },
        ),
        online.CreateModel(
            name='LinkDownload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slot', models.CharField(max_length=64, null=True, unique=True)),
                ('size', models.PositiveBigIntegerField()),
                ('whole', models.BooleanField()),
                ('running', models.PositiveIntegerField(default=1)),
                ('covered', models.JSONField(default=list)),
                ('seen_at', models.DateTimeField()),
                ('done', models.BooleanField(default=False, help_text='It is counted; what was lost on the way may be sent again.')),
                ('again', models.PositiveBigIntegerField(default=0)),
                ('link', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='downloads', to='files.link')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        online.AddConstraint(
            model_name='link',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('file__isnull', True), ('folder__isnull', False)), models.Q(('file__isnull', False), ('folder__isnull', True)), _connector='OR'), name='link_to_file_or_folder'),
        ),
    ]
