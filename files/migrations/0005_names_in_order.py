"""An index by which PostgreSQL finds rows in the order in which a store lists its objects.

That is the order of bytes, and a database's own language may have another one. SQLite compares
bytes anyway.
"""

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from runtime import online
from runtime import schema_changes


NAME = "storedobject_in_order"
STATEMENT = (
    f'CREATE INDEX CONCURRENTLY {NAME} ON files_storedobject (object_name COLLATE "C")'
)


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_changes.create_index(schema_editor, NAME, STATEMENT)


def drop(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_changes.drop_index(schema_editor, NAME)


class Migration(online.Migration):
    dependencies = [("files", "0004_verification")]
    operations = [online.RunPython(create, drop, elidable=False)]
