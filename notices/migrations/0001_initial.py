"""Notices, what people chose to hear of, and the queue of mails."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from runtime import online


class Migration(online.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        online.CreateModel(
            name='Choice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('in_app', models.BooleanField(blank=True, null=True)),
                ('by_mail', models.BooleanField(blank=True, null=True)),
                ('mailed_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('user', 'kind'), name='noticechoice_once')],
            },
        ),
        online.CreateModel(
            name='Mail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(editable=False, max_length=100, unique=True)),
                ('to', models.EmailField(max_length=254, verbose_name='to')),
                ('kind', models.CharField(max_length=40, verbose_name='kind')),
                ('language', models.CharField(blank=True, max_length=10)),
                ('content', models.BinaryField(null=True)),
                ('wrapped_key', models.BinaryField(null=True)),
                ('master_key_id', models.CharField(blank=True, default='', editable=False, max_length=128)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='made')),
                ('due_at', models.DateTimeField(verbose_name='next try')),
                ('useful_until', models.DateTimeField(blank=True, null=True, verbose_name='useful until')),
                ('attempts', models.PositiveIntegerField(default=0, verbose_name='tries')),
                ('lease', models.CharField(blank=True, default='', editable=False, max_length=200)),
                ('leased_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('last_error', models.CharField(blank=True, max_length=500, verbose_name='what the mail server said')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='given up')),
                ('user', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
            ],
            options={
                'verbose_name': 'mail',
                'verbose_name_plural': 'mails',
                'ordering': ('-id',),
                'default_permissions': ('view', 'change'),
                'indexes': [models.Index(condition=models.Q(('ended_at', None), ('sent_at', None)), fields=['due_at', 'id'], name='mail_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('sent_at', None), ('ended_at', None), _connector='OR'), name='mail_sent_or_given_up'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('sent_at', None)), models.Q(('content', None), ('master_key_id', ''), ('wrapped_key', None)), _connector='OR'), name='mail_erased_once_done')],
            },
        ),
        online.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('file_id', models.UUIDField(blank=True, null=True)),
                ('folder_id', models.UUIDField(blank=True, null=True)),
                ('path', models.CharField(blank=True, default='', max_length=300)),
                ('actor_id', models.BigIntegerField(blank=True, null=True)),
                ('details', models.JSONField(default=dict)),
                ('once', models.CharField(blank=True, default='', max_length=100)),
                ('in_app', models.BooleanField(default=True)),
                ('by_mail', models.BooleanField(default=False)),
                ('read_at', models.DateTimeField(blank=True, null=True)),
                ('mailed_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['user', '-id'], name='notice_of_user'), models.Index(condition=models.Q(('in_app', True), ('read_at', None)), fields=['user'], name='notice_unread'), models.Index(condition=models.Q(('by_mail', True), ('mailed_at', None)), fields=['user', 'kind'], name='notice_to_be_mailed')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('once', ''), _negated=True), fields=('user', 'once'), name='notice_told_once')],
            },
        ),
    ]
