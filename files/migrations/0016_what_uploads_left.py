"""A live object's row holds nothing that only its upload needed.

Uploads that came in pieces used to leave the ETags of all their parts there, and the names of tails
that are gone: lists read them with every file. Runs in batches beside readers and writers.
"""

from django.apps.registry import Apps
from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from runtime import online

# What is being written still needs them; what is doomed goes with its row.
LEFT = """
    UPDATE files_storedobject SET etags = '[]', tails = '[]'
    WHERE state IN ('live', 'damaged') AND id BETWEEN %s AND %s AND (etags <> '[]' OR tails <> '[]')
"""


def forget(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for first, last in online.batches(schema_editor, "files_storedobject"):
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute(LEFT, [first, last])


class Migration(online.Migration):
    dependencies = [("files", "0015_database_state")]

    operations = [online.RunPython(forget, online.RunPython.noop)]
