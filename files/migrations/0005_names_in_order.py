"""An index by which PostgreSQL finds rows in the order in which a store lists its objects.

That is the order of bytes, and a database's own language may have another one. SQLite compares
bytes anyway.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            'CREATE INDEX storedobject_in_order ON files_storedobject (object_name COLLATE "C")'
        )


def drop(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX storedobject_in_order")


class Migration(migrations.Migration):
    dependencies = [("files", "0004_verification")]
    operations = [migrations.RunPython(create, drop, elidable=False)]
