"""Words of people's and groups' names, so that they are found without accents and while one types."""

import accounts.models
import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from accounts import finding
from runtime import online


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """In batches. Who is added by code of the release before is seen to by a sweep."""
    people = (apps.get_model("accounts", "User"), apps.get_model("auth", "Group"))
    words = apps.get_model("accounts", "NameWord")
    finding.refresh(people, words, using=schema_editor.connection.alias)


class Migration(online.Migration):

    dependencies = [
        ('accounts', '0004_sessions_by_digest'),
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        online.CreateModel(
            name='NameWord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('word', accounts.models.WordField(max_length=200)),
                ('group', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='name_words', to='auth.group')),
                ('user', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='name_words', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['word', 'id'], name='nameword_begins')],
                'constraints': [models.UniqueConstraint(fields=('user', 'word'), name='nameword_of_user_once'), models.UniqueConstraint(fields=('group', 'word'), name='nameword_of_group_once'), models.CheckConstraint(condition=models.Q(models.Q(('group__isnull', False), ('user', None)), models.Q(('group', None), ('user__isnull', False)), _connector='OR'), name='nameword_of_user_or_group')],
            },
        ),
        online.RunPython(fill, online.RunPython.noop),
    ]
