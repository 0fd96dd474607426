"""Codes that people outside are sent. Code of the release before sends none, and takes none."""

from django.db import models

from runtime import online


class Migration(online.Migration):

    dependencies = [
        ('accounts', '0008_program_requests'),
    ]

    operations = [
        online.CreateModel(
            name='OutsideCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('door', models.CharField(max_length=40)),
                ('address', models.CharField(max_length=64)),
                ('code', models.CharField(editable=False, max_length=64)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('expires_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('door', 'address'), name='outside_code_once')],
            },
        ),
    ]
