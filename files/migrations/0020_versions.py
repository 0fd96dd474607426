"""Versions: what a damaged former one is, when the current one came, which one is downloaded.

And a mark on a folder that goes for good. Columns that may be empty; no row is written anew.
"""

from importlib import import_module

from django.apps.registry import Apps
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from runtime import online

folders = import_module("files.migrations.0017_folders")

STATES = [
    ('writing', 'being written'),
    ('live', 'live'),
    ('kept', 'kept as a former version'),
    ('doomed', 'to be deleted'),
    ('damaged', 'damaged in the store'),
]
KEPT_DAMAGED = ('kept_bad', 'kept as a former version, damaged in the store')


def as_kept(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Before the constraint that does not know the state: damage is found again."""
    schema_editor.execute("UPDATE files_storedobject SET state = 'kept' WHERE state = 'kept_bad'")


class Migration(online.Migration):

    dependencies = [('files', '0018_roots')]

    operations = [
        # Done last on the way back; here it makes way, and what follows is done at the end.
        online.RunPython(folders.make_way, folders.install),
        online.RemoveConstraint(
            model_name='storedobject',
            name='storedobject_live_is_sealed',
        ),
        online.RunPython(online.RunPython.noop, as_kept),
        online.AddField(
            model_name='downloadsession',
            name='version',
            field=models.UUIDField(help_text='The former version that is sent, if it is one.', null=True),
        ),
        online.AddField(
            model_name='filerecord',
            name='uploaded_at',
            field=models.DateTimeField(editable=False, help_text='When the current version was; empty where it is the first one.', null=True),
        ),
        online.AddField(
            model_name='folder',
            name='purged_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        online.AlterField(
            model_name='storedobject',
            name='state',
            field=models.CharField(choices=[*STATES, KEPT_DAMAGED], default='writing', max_length=8),
        ),
        online.AddConstraint(
            model_name='storedobject',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('sealed', False), ('state', 'writing')), ('state', 'doomed'), models.Q(('sealed', True), ('state__in', ['live', 'kept', 'damaged', 'kept_bad'])), _connector='OR'), name='storedobject_live_is_sealed'),
        ),
        online.RunPython(folders.install, folders.make_way),
    ]
