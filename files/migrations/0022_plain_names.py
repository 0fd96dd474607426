"""Searches forgive accents: a column of names without them, for files and folders, and the index over it.

The code of the release before goes on beside it. It writes names and not this column: triggers give
it what the name is in small letters, where that is all there is to it (ASCII); else nothing, and a
sweep does it. What it looks for by accents beyond the newest files, it does not find meanwhile.

A migration that alters `FileRecord`, `Folder` or `Grant` ends with `install`. It also sets right
what people store and the places of grants, where these are out of step: `doctor` says to go back before this migration, and on again.
"""

from importlib import import_module

from django.apps.registry import Apps
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

from files.tree import plain_names
from runtime import online, schema_changes

names_and_usage = import_module("files.migrations.0009_names_and_usage")
folders = import_module("files.migrations.0017_folders")

# As `files.records.names.plain_name` has it.
_OF_ASCII = (
    "CASE WHEN length(CAST(NEW.name AS BLOB)) = length(NEW.name) THEN lower(NEW.name) END"
)
SQLITE_INDEX = """
    CREATE VIRTUAL TABLE files_name_index USING fts5(
        plain_name, content='files_filerecord', content_rowid='place',
        tokenize='trigram case_sensitive 1'
    )
"""
SQLITE_TRIGGERS = {
    # In one trigger: nothing says which of two comes first.
    "filerecord_name_added": f"""
        AFTER INSERT ON files_filerecord BEGIN
            INSERT INTO files_name_index (rowid, plain_name) VALUES (NEW.place, NEW.plain_name);
            UPDATE files_filerecord SET plain_name = {_OF_ASCII}
                WHERE id = NEW.id AND NEW.plain_name IS NULL;
        END
    """,
    "filerecord_name_changed": """
        AFTER UPDATE OF plain_name ON files_filerecord
        WHEN NEW.plain_name IS NOT OLD.plain_name BEGIN
            INSERT INTO files_name_index (files_name_index, rowid, plain_name)
                VALUES ('delete', OLD.place, OLD.plain_name);
            INSERT INTO files_name_index (rowid, plain_name) VALUES (NEW.place, NEW.plain_name);
        END
    """,
    "filerecord_name_removed": """
        AFTER DELETE ON files_filerecord BEGIN
            INSERT INTO files_name_index (files_name_index, rowid, plain_name)
                VALUES ('delete', OLD.place, OLD.plain_name);
        END
    """,
    "filerecord_plain_kept": f"""
        AFTER UPDATE OF name ON files_filerecord
        WHEN NEW.name IS NOT OLD.name AND NEW.plain_name IS OLD.plain_name BEGIN
            UPDATE files_filerecord SET plain_name = {_OF_ASCII} WHERE id = NEW.id;
        END
    """,
    "folder_plain_added": f"""
        AFTER INSERT ON files_folder WHEN NEW.plain_name IS NULL BEGIN
            UPDATE files_folder SET plain_name = {_OF_ASCII} WHERE id = NEW.id;
        END
    """,
    "folder_plain_kept": f"""
        AFTER UPDATE OF name ON files_folder
        WHEN NEW.name IS NOT OLD.name AND NEW.plain_name IS OLD.plain_name BEGIN
            UPDATE files_folder SET plain_name = {_OF_ASCII} WHERE id = NEW.id;
        END
    """,
}

# No list of pending entries, which every search would read to its end.
POSTGRESQL_INDEX = """
    CREATE INDEX CONCURRENTLY filerecord_plain_names ON files_filerecord
        USING gin (plain_name gin_trgm_ops) WITH (fastupdate = off)
"""
POSTGRESQL_FUNCTIONS = """
    CREATE OR REPLACE FUNCTION files_plain_name() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.plain_name IS NOT NULL THEN RETURN NEW; END IF;
        ELSIF NEW.name IS NOT DISTINCT FROM OLD.name
            OR NEW.plain_name IS DISTINCT FROM OLD.plain_name
        THEN
            RETURN NEW;
        END IF;
        NEW.plain_name := CASE WHEN octet_length(NEW.name) = length(NEW.name)
            THEN lower(NEW.name COLLATE "C") END;
        RETURN NEW;
    END
    $$;
"""
_KEPT = "BEFORE INSERT OR UPDATE OF name ON {} FOR EACH ROW EXECUTE FUNCTION files_plain_name()"
POSTGRESQL_TRIGGERS = {
    "filerecord_plain": _KEPT.format("files_filerecord"),
    "folder_plain": _KEPT.format("files_folder"),
}

_STORED = (
    "SELECT owner_id, count(*), CAST(sum(size + kept_bytes) AS bigint) FROM files_filerecord"
    " GROUP BY owner_id"
)
_KEPT_USAGE = "SELECT owner_id, files, bytes FROM files_usage WHERE files <> 0"


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the index and the triggers, where they are missing; safe to repeat.

    A migration that alters `FileRecord`, `Folder` or `Grant` ends with this.
    """
    if schema_changes.is_postgresql(schema_editor):

        def replace() -> None:
            schema_editor.execute(names_and_usage.POSTGRESQL_FUNCTIONS)
            schema_editor.execute(folders.POSTGRESQL_FUNCTIONS)
            schema_editor.execute(POSTGRESQL_FUNCTIONS)
            triggers = {
                **names_and_usage.POSTGRESQL_TRIGGERS,
                **folders.POSTGRESQL_TRIGGERS,
                **POSTGRESQL_TRIGGERS,
            }
            for name, body in triggers.items():
                schema_editor.execute(f"CREATE OR REPLACE TRIGGER {name} {body}")

        schema_changes.briefly(schema_editor, replace)
        return
    make_way(apps, schema_editor)
    schema_editor.execute("DROP TABLE IF EXISTS files_name_index")
    schema_editor.execute(SQLITE_INDEX)
    schema_editor.execute("INSERT INTO files_name_index (files_name_index) VALUES ('rebuild')")
    triggers = {
        **names_and_usage.SQLITE_TRIGGERS,
        **folders.SQLITE_TRIGGERS,
        **SQLITE_TRIGGERS,
    }
    for name, body in triggers.items():
        schema_editor.execute(f"CREATE TRIGGER {name} {body}")


def make_way(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite makes a table anew that is altered: triggers would be in the way."""
    if not schema_changes.is_postgresql(schema_editor):
        for name in {*names_and_usage.SQLITE_TRIGGERS, *SQLITE_TRIGGERS}:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


def fill_and_install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What is written from now on has its value; then what is there; then the index over it."""
    tables = [apps.get_model("files", name) for name in ("FileRecord", "Folder")]
    using = schema_editor.connection.alias
    if not schema_changes.is_postgresql(schema_editor):
        schema_editor.execute(
            "UPDATE files_filerecord SET plain_name = lower(name)"
            " WHERE length(CAST(name AS BLOB)) = length(name)"
        )
        plain_names.fill(tables, using=using)
        _mend(schema_editor)
        install(apps, schema_editor)
        return
    install(apps, schema_editor)
    for first, last in online.batches(schema_editor, "files_filerecord", "place"):
        schema_editor.execute(
            'UPDATE files_filerecord SET plain_name = lower(name COLLATE "C")'
            " WHERE place BETWEEN %s AND %s AND plain_name IS NULL"
            " AND octet_length(name) = length(name)",
            [first, last],
        )
    plain_names.fill(tables, using=using)
    schema_changes.create_index(schema_editor, "filerecord_plain_names", POSTGRESQL_INDEX)
    schema_changes.drop_index(schema_editor, "filerecord_names")
    _mend(schema_editor)


def _mend(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Set right what else triggers keep, where it is out of step."""
    schema_editor.execute(
        "UPDATE files_grant SET file_place ="
        " (SELECT place FROM files_filerecord f WHERE f.id = files_grant.file_id)"
        " WHERE id IN (SELECT g.id FROM files_grant g JOIN files_filerecord f ON f.id = g.file_id"
        " WHERE g.file_place <> f.place)"
    )
    differing = (
        f"SELECT (SELECT count(*) FROM ({_STORED} EXCEPT {_KEPT_USAGE}) AS a)"
        f" + (SELECT count(*) FROM ({_KEPT_USAGE} EXCEPT {_STORED}) AS b)"
    )
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(differing)
        [[number]] = cursor.fetchall()
    if not number:
        return

    def count() -> None:
        if schema_changes.is_postgresql(schema_editor):
            schema_editor.execute("LOCK TABLE files_filerecord IN SHARE ROW EXCLUSIVE MODE")
        schema_editor.execute("DELETE FROM files_usage")
        schema_editor.execute(f"INSERT INTO files_usage (owner_id, files, bytes) {_STORED}")

    schema_changes.briefly(schema_editor, count)


def uninstall(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Before the columns go."""
    if not schema_changes.is_postgresql(schema_editor):
        make_way(apps, schema_editor)
        schema_editor.execute("DROP TABLE IF EXISTS files_name_index")
        return

    def remove() -> None:
        for name in POSTGRESQL_TRIGGERS:
            table = names_and_usage.TABLE_OF.get(name.split("_")[0], "files_folder")
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        schema_editor.execute("DROP FUNCTION IF EXISTS files_plain_name()")

    schema_changes.briefly(schema_editor, remove)
    beside = names_and_usage.POSTGRESQL_INDEX.replace("INDEX IF NOT EXISTS", "INDEX CONCURRENTLY")
    schema_changes.create_index(schema_editor, "filerecord_names", beside)
    schema_changes.drop_index(schema_editor, "filerecord_plain_names")


class Migration(online.Migration):

    dependencies = [("files", "0021_names_in_folders")]

    operations = [
        # Done last on the way back: the index and the triggers of before.
        online.RunPython(online.RunPython.noop, folders.install),
        online.AddField(
            model_name="filerecord",
            name="plain_name",
            field=models.CharField(editable=False, max_length=1530, null=True),
        ),
        online.AddField(
            model_name="folder",
            name="plain_name",
            field=models.CharField(editable=False, max_length=1530, null=True),
        ),
        online.RunPython(fill_and_install, uninstall),
        online.AddIndex(
            model_name="filerecord",
            index=models.Index(
                fields=["place"], condition=Q(plain_name__isnull=True), name="filerecord_not_plain"
            ),
        ),
        online.AddIndex(
            model_name="folder",
            index=models.Index(
                fields=["id"], condition=Q(plain_name__isnull=True), name="folder_not_plain"
            ),
        ),
    ]
