"""Each file gets its folder and its name there: the root of its owner, in batches, beside readers.

Of several files of one owner with the same name, whatever its case, the oldest keeps it, and the
others become `name (2)`, `name (3)` and so on. On the way back what was renamed stays so, and grants
on folders go: the release before knows none, and would take them for grants on nothing.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from files.tree.adoption import Tables, adopt
from runtime import online


def take_in(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    names = ("FileRecord", "Folder", "Ancestry", "Entry", "StoredObject")
    tables = Tables(*(apps.get_model("files", name) for name in names))
    adopt(tables, using=schema_editor.connection.alias)


def let_go(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Before the tables go: no file may point into them, and no grant be of a folder."""
    schema_editor.execute("DELETE FROM files_grant WHERE folder_id IS NOT NULL")
    schema_editor.execute("UPDATE files_filerecord SET folder_id = NULL WHERE folder_id IS NOT NULL")


class Migration(online.Migration):
    dependencies = [("files", "0017_folders")]

    operations = [online.RunPython(take_in, let_go)]
