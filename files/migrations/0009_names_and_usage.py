"""What the database keeps in step by itself: the index of names, places, and how much people store.

Django remakes a table of SQLite when a field of it changes, and its triggers go with the old one: a
migration that alters `FileRecord` or `Grant` ends with `install`. `doctor` and the tests notice
what is missing.
"""

from django.apps.registry import Apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, migrations, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from runtime import online
from runtime import schema_changes

FIXED = "a file keeps its place"
ITS_FILES = "a grant has the place of its file"

# With the places of trigrams in names, so that digits which repeat (`0000007`) are found as what they
# are and not as their trigrams in any order. Nothing folds here what was folded before.
SQLITE_INDEX = """
    CREATE VIRTUAL TABLE IF NOT EXISTS files_name_index USING fts5(
        folded_name, content='files_filerecord', content_rowid='place',
        tokenize='trigram case_sensitive 1'
    )
"""
SQLITE_TRIGGERS = {
    "filerecord_name_added": """
        AFTER INSERT ON files_filerecord BEGIN
            INSERT INTO files_name_index (rowid, folded_name) VALUES (NEW.place, NEW.folded_name);
        END
    """,
    "filerecord_name_changed": """
        AFTER UPDATE OF folded_name ON files_filerecord
        WHEN NEW.folded_name IS NOT OLD.folded_name BEGIN
            INSERT INTO files_name_index (files_name_index, rowid, folded_name)
                VALUES ('delete', OLD.place, OLD.folded_name);
            INSERT INTO files_name_index (rowid, folded_name) VALUES (NEW.place, NEW.folded_name);
        END
    """,
    "filerecord_name_removed": """
        AFTER DELETE ON files_filerecord BEGIN
            INSERT INTO files_name_index (files_name_index, rowid, folded_name)
                VALUES ('delete', OLD.place, OLD.folded_name);
        END
    """,
    "filerecord_place_fixed": f"""
        BEFORE UPDATE OF place ON files_filerecord WHEN NEW.place IS NOT OLD.place
        BEGIN SELECT RAISE(ABORT, '{FIXED}'); END
    """,
    "grant_place_added": f"""
        BEFORE INSERT ON files_grant
        WHEN NEW.file_place IS NOT (SELECT place FROM files_filerecord WHERE id = NEW.file_id)
        BEGIN SELECT RAISE(ABORT, '{ITS_FILES}'); END
    """,
    "grant_place_changed": f"""
        BEFORE UPDATE OF file_id, file_place ON files_grant
        WHEN NEW.file_place IS NOT (SELECT place FROM files_filerecord WHERE id = NEW.file_id)
        BEGIN SELECT RAISE(ABORT, '{ITS_FILES}'); END
    """,
    "filerecord_usage_added": """
        AFTER INSERT ON files_filerecord BEGIN
            INSERT INTO files_usage (owner_id, files, bytes) VALUES (NEW.owner_id, 1, NEW.size)
                ON CONFLICT (owner_id) DO UPDATE SET files = files + 1, bytes = bytes + NEW.size;
        END
    """,
    "filerecord_usage_changed": """
        AFTER UPDATE OF owner_id, size ON files_filerecord
        WHEN NEW.owner_id <> OLD.owner_id OR NEW.size <> OLD.size BEGIN
            UPDATE files_usage SET files = files - 1, bytes = bytes - OLD.size
                WHERE owner_id = OLD.owner_id;
            INSERT INTO files_usage (owner_id, files, bytes) VALUES (NEW.owner_id, 1, NEW.size)
                ON CONFLICT (owner_id) DO UPDATE SET files = files + 1, bytes = bytes + NEW.size;
        END
    """,
    "filerecord_usage_removed": """
        AFTER DELETE ON files_filerecord BEGIN
            UPDATE files_usage SET files = files - 1, bytes = bytes - OLD.size
                WHERE owner_id = OLD.owner_id;
        END
    """,
}

# No list of pending entries, which every search would read to its end.
POSTGRESQL_INDEX = """
    CREATE INDEX IF NOT EXISTS filerecord_names ON files_filerecord
        USING gin (folded_name gin_trgm_ops) WITH (fastupdate = off)
"""
POSTGRESQL_FUNCTIONS = f"""
    CREATE OR REPLACE FUNCTION files_place_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{FIXED}' USING ERRCODE = 'restrict_violation'; END
    $$;
    CREATE OR REPLACE FUNCTION files_grant_place() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.file_place IS DISTINCT FROM
            (SELECT place FROM files_filerecord WHERE id = NEW.file_id)
        THEN
            RAISE EXCEPTION '{ITS_FILES}' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END
    $$;
    CREATE OR REPLACE FUNCTION files_usage_added() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO files_usage AS kept (owner_id, files, bytes)
            SELECT owner_id, count(*), sum(size) FROM added GROUP BY owner_id ORDER BY owner_id
            ON CONFLICT (owner_id) DO UPDATE
            SET files = kept.files + excluded.files, bytes = kept.bytes + excluded.bytes;
        RETURN NULL;
    END
    $$;
    CREATE OR REPLACE FUNCTION files_usage_removed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO files_usage AS kept (owner_id, files, bytes)
            SELECT owner_id, -count(*), -sum(size) FROM removed GROUP BY owner_id ORDER BY owner_id
            ON CONFLICT (owner_id) DO UPDATE
            SET files = kept.files + excluded.files, bytes = kept.bytes + excluded.bytes;
        RETURN NULL;
    END
    $$;
    CREATE OR REPLACE FUNCTION files_usage_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO files_usage AS kept (owner_id, files, bytes)
            SELECT owner_id, sum(files), sum(bytes) FROM (
                VALUES (OLD.owner_id, -1, -OLD.size), (NEW.owner_id, 1, NEW.size)
            ) AS moved (owner_id, files, bytes) GROUP BY owner_id ORDER BY owner_id
            ON CONFLICT (owner_id) DO UPDATE
            SET files = kept.files + excluded.files, bytes = kept.bytes + excluded.bytes;
        RETURN NULL;
    END
    $$;
"""
POSTGRESQL_TRIGGERS = {
    "filerecord_place_fixed": (
        "BEFORE UPDATE OF place ON files_filerecord FOR EACH ROW"
        " WHEN (NEW.place IS DISTINCT FROM OLD.place) EXECUTE FUNCTION files_place_fixed()"
    ),
    "grant_place": (
        "BEFORE INSERT OR UPDATE OF file_id, file_place ON files_grant FOR EACH ROW"
        " EXECUTE FUNCTION files_grant_place()"
    ),
    # In the order of owners, so that two that hand files to each other never deadlock.
    "filerecord_usage_added": (
        "AFTER INSERT ON files_filerecord REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
        " EXECUTE FUNCTION files_usage_added()"
    ),
    "filerecord_usage_removed": (
        "AFTER DELETE ON files_filerecord REFERENCING OLD TABLE AS removed FOR EACH STATEMENT"
        " EXECUTE FUNCTION files_usage_removed()"
    ),
    "filerecord_usage_changed": (
        "AFTER UPDATE OF owner_id, size ON files_filerecord FOR EACH ROW"
        " WHEN (NEW.owner_id <> OLD.owner_id OR NEW.size <> OLD.size)"
        " EXECUTE FUNCTION files_usage_changed()"
    ),
}
FUNCTIONS = ("place_fixed", "grant_place", "usage_added", "usage_removed", "usage_changed")
TABLE_OF = {"filerecord": "files_filerecord", "grant": "files_grant"}
COUNT = """
    INSERT INTO files_usage (owner_id, files, bytes)
        SELECT owner_id, count(*), sum(size) FROM files_filerecord GROUP BY owner_id
"""
NO_TRIGRAMS = (
    "The extension pg_trgm, which searches need, is not there and could not be created ({}). "
    "Install PostgreSQL's contrib package if it is missing (Debian: it is part of `postgresql`). "
    "Then run `CREATE EXTENSION pg_trgm` in this database as its owner or as a superuser, and "
    "`manage.py migrate` again."
)


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the index and the triggers, where they are missing; safe to repeat."""
    on_sqlite = schema_editor.connection.vendor == "sqlite"
    (_install_on_sqlite if on_sqlite else _install_on_postgresql)(schema_editor)


def count_and_install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Count what is stored and keep it from then on; nobody writes a file between the two."""
    if not schema_changes.is_postgresql(schema_editor):
        schema_editor.execute(COUNT)
        install(apps, schema_editor)
        return
    _create_trigrams(schema_editor)
    beside = POSTGRESQL_INDEX.replace("INDEX IF NOT EXISTS", "INDEX CONCURRENTLY")
    schema_changes.create_index(schema_editor, "filerecord_names", beside)

    def begin() -> None:
        schema_editor.execute("LOCK TABLE files_filerecord, files_grant IN SHARE ROW EXCLUSIVE MODE")
        schema_editor.execute("DELETE FROM files_usage")
        schema_editor.execute(COUNT)
        install(apps, schema_editor)

    schema_changes.briefly(schema_editor, begin)


def _install_on_sqlite(schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute(SQLITE_INDEX)
    schema_editor.execute("INSERT INTO files_name_index (files_name_index) VALUES ('rebuild')")
    for name, body in SQLITE_TRIGGERS.items():
        schema_editor.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {body}")


def _install_on_postgresql(schema_editor: BaseDatabaseSchemaEditor) -> None:
    _create_trigrams(schema_editor)
    schema_editor.execute(POSTGRESQL_INDEX)
    schema_editor.execute(POSTGRESQL_FUNCTIONS)
    for name, body in POSTGRESQL_TRIGGERS.items():
        schema_editor.execute(f"CREATE OR REPLACE TRIGGER {name} {body}")


def _create_trigrams(schema_editor: BaseDatabaseSchemaEditor) -> None:
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise CommandError(NO_TRIGRAMS.format(reason)) from error


def uninstall(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The extension stays: somebody else may use it."""
    if schema_editor.connection.vendor == "sqlite":
        for name in SQLITE_TRIGGERS:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
        schema_editor.execute("DROP TABLE IF EXISTS files_name_index")
        return
    for name in POSTGRESQL_TRIGGERS:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {TABLE_OF[name.split('_')[0]]}")
    for function in FUNCTIONS:
        schema_editor.execute(f"DROP FUNCTION IF EXISTS files_{function}()")
    schema_changes.drop_index(schema_editor, "filerecord_names")


class Migration(online.Migration):
    dependencies = [
        ("files", "0008_order"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        online.CreateModel(
            name="Usage",
            fields=[
                ("owner_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("files", models.BigIntegerField(default=0)),
                ("bytes", models.BigIntegerField(default=0)),
            ],
            options={"default_permissions": ()},
        ),
        online.AddIndex(
            model_name="storedobject",
            index=models.Index(
                condition=models.Q(("state", "writing")),
                fields=["creator"],
                name="storedobject_writing_by",
            ),
        ),
        online.RunPython(count_and_install, uninstall),
    ]
