"""What remembers the keys that wrapped a row goes into the row, and no index holds a key any more.

On PostgreSQL a row that changes where no index looks stays in its page, and then no index gets a
new entry, if the page has room for it. A rotation changes every row of a page at once, so half of
it is left free: after one rotation without, the table would be as large, and its indexes with it.
What is there gets its room when it moves, by the next rotation.
"""

from django.apps.registry import Apps
from django.db import migrations, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from runtime import online
from runtime import schema_changes

HALF = "ALTER TABLE files_storedobject SET (fillfactor = 50)"
FULL = "ALTER TABLE files_storedobject RESET (fillfactor)"
TAKE = """
    UPDATE files_storedobject SET past_master_key_ids = (
        SELECT ' ' || {joined}(master_key_id, ' ') || ' ' FROM (
            SELECT master_key_id FROM files_pastwrapping
            WHERE object_id = files_storedobject.id ORDER BY id
        ) AS past
    )
    WHERE id IN (SELECT object_id FROM files_pastwrapping)
"""
JOINED = {"postgresql": "string_agg", "sqlite": "group_concat"}
GIVE = """
    INSERT INTO files_pastwrapping (object_id, master_key_id)
        SELECT id, %s FROM files_storedobject WHERE past_master_key_ids = %s
"""


def leave_room(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_changes.briefly(schema_editor, lambda: schema_editor.execute(HALF))


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_changes.briefly(schema_editor, lambda: schema_editor.execute(FULL))


def take(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    connection = schema_editor.connection
    statement = TAKE.format(joined=JOINED[connection.vendor])
    if not schema_changes.is_postgresql(schema_editor):
        schema_editor.execute(statement)
    elif schema_changes.has_table(schema_editor, "files_pastwrapping"):  # Else a killed run has taken all.
        for batch in online.batches(schema_editor, "files_storedobject"):
            with transaction.atomic(using=connection.alias):
                schema_editor.execute(f"{statement} AND id BETWEEN %s AND %s", list(batch))


def give_back(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("files", "StoredObject").objects
    with transaction.atomic(using=schema_editor.connection.alias):
        schema_editor.execute("DELETE FROM files_pastwrapping")
        for past in rows.order_by().values_list("past_master_key_ids", flat=True).distinct():
            for key_id in past.split():
                schema_editor.execute(GIVE, [key_id, past])


class Migration(online.Migration):
    dependencies = [("files", "0010_one_index_of_master_keys")]

    operations = [
        online.RemoveIndex(model_name="storedobject", name="storedobject_by_key"),
        online.AddField(
            model_name="storedobject",
            name="past_master_key_ids",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="As `files.keys.wrapping_history` keeps them.",
            ),
        ),
        online.RunPython(leave_room, fill),
        online.RunPython(take, give_back),
        online.DeleteModel(name="PastWrapping"),
    ]
