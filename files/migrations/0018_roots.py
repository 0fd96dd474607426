"""Each file gets its folder and its name there: the root of its owner, in batches, beside readers.

Of several files of one owner with the same name, whatever its case, the oldest keeps it, and the
others become `name (2)`, `name (3)` and so on. What was renamed stays so on the way back.
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
    """Before the tables go: no file may point into them."""
    schema_editor.execute("UPDATE files_filerecord SET folder_id = NULL WHERE folder_id IS NOT NULL")


class Migration(online.Migration):
    dependencies = [("files", "0017_folders")]

    operations = [online.RunPython(take_in, let_go)]
