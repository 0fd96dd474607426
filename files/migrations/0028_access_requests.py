"""What people ask to be let in to, whether there is such a thing or not."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('files', '0027_links'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        online.CreateModel(
            name='AccessRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('file', 'file'), ('folder', 'folder')], max_length=6)),
                ('wanted', models.UUIDField(help_text='The id that was asked for, of whatever there is or is not.')),
                ('reason', models.CharField(max_length=500)),
                ('asked_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now, editable=False)),
                ('told_at', models.DateTimeField(editable=False, null=True)),
                ('answer', models.CharField(blank=True, choices=[('', 'not answered'), ('granted', 'shared'), ('declined', 'declined')], default='', max_length=8)),
                ('answered_at', models.DateTimeField(editable=False, null=True)),
                ('word', models.CharField(blank=True, max_length=255)),
                ('answered_by', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asker', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('grant', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='files.grant')),
            ],
            options={
                'ordering': ['-pk'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['wanted'], name='accessrequest_wanted'), models.Index(condition=models.Q(('told_at__isnull', True)), fields=['id'], name='accessrequest_untold')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('answer', 'granted'), _negated=True), fields=('asker', 'kind', 'wanted'), name='accessrequest_one_open')],
            },
        ),
    ]
