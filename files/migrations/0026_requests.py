"""Requests: who asked for files, who has sent some, what came; whose an upload from outside is."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('files', '0025_folder_put_away'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        online.CreateModel(
            name='FileRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=120)),
                ('words', models.TextField(blank=True, max_length=2000)),
                ('token_digest', models.CharField(editable=False, help_text='SHA-256, in hexadecimal.', max_length=64, unique=True)),
                ('identify', models.CharField(choices=[('name', 'They say their name'), ('code', 'They have a code sent to their mail address')], default='name', max_length=8)),
                ('addresses', models.JSONField(blank=True, default=list, help_text='Who a code is sent to; empty: to the domains that are allowed.')),
                ('most_bytes', models.PositiveBigIntegerField(help_text='Bytes that it takes in all, of all senders.')),
                ('most_files', models.PositiveIntegerField(blank=True, null=True)),
                ('most_senders', models.PositiveIntegerField(blank=True, null=True)),
                ('accept_first', models.BooleanField(default=False, help_text='What is sent waits until the requester accepts it.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('wrong_codes', models.PositiveIntegerField(default=0, editable=False)),
                ('wrong_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('ended_by', models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('folder', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='requests', to='files.folder')),
                ('maker', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='requests', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
                'permissions': (('add_request', 'Can ask people outside for files, for folders they manage'),),
                'default_permissions': ('view', 'change'),
            },
        ),
        online.CreateModel(
            name='Sender',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('email', models.EmailField(blank=True, help_text='Where a code went that they had; empty where none was asked for.', max_length=254)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('folder', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='files.folder')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='senders', to='files.filerequest')),
                ('waiting', models.OneToOneField(editable=False, help_text='Where what they sent lies until it is accepted: it sleeps as in the trash.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='waits_for', to='files.folder')),
            ],
            options={
                'ordering': ['created_at', 'id'],
                'default_permissions': (),
            },
        ),
        online.CreateModel(
            name='Received',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='As its sender called it.', max_length=255)),
                ('size', models.PositiveBigIntegerField()),
                ('browser', models.CharField(blank=True, editable=False, max_length=64)),
                ('at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('accepted_at', models.DateTimeField(blank=True, null=True)),
                ('declined_at', models.DateTimeField(blank=True, null=True)),
                ('file', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='received', to='files.filerecord')),
                ('sender', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='received', to='files.sender')),
            ],
            options={
                'ordering': ['id'],
                'default_permissions': (),
            },
        ),
        online.AddField(
            model_name='storedobject',
            name='sender',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='files.sender'),
        ),
        online.AddField(
            model_name='uploadsession',
            name='sender',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to='files.sender'),
        ),
        online.AddIndex(
            model_name='storedobject',
            index=models.Index(condition=models.Q(('sender__isnull', False)), fields=['sender'], name='storedobject_from_outside'),
        ),
        online.AddConstraint(
            model_name='sender',
            constraint=models.UniqueConstraint(condition=models.Q(('email', ''), _negated=True), fields=('request', 'email'), name='sender_once_per_address'),
        ),
        online.AddConstraint(
            model_name='received',
            constraint=models.CheckConstraint(condition=models.Q(('accepted_at__isnull', True), ('declined_at__isnull', True), _connector='OR'), name='received_accepted_or_declined'),
        ),
    ]
