"""The database itself refuses to change or remove an event, whoever asks.

SQLite's `INSERT OR REPLACE` removes the old row without running its delete trigger, so there an
insert over an existing row is refused too. PostgreSQL's TRUNCATE runs no row triggers and has its
own.
"""

from collections.abc import Callable

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

MESSAGE = "the audit log is append-only"

SQLITE = (
    f"""
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
    """,
    f"""
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
    """,
    f"""
    CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit_auditevent
    WHEN EXISTS (
        SELECT 1 FROM audit_auditevent
        WHERE id = NEW.id OR previous_mac = NEW.previous_mac
    )
    BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
    """,
)
SQLITE_REVERSED = (
    "DROP TRIGGER audit_no_update",
    "DROP TRIGGER audit_no_delete",
    "DROP TRIGGER audit_no_replace",
)

POSTGRESQL = (
    f"""
    CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'restrict_violation'; END
    $$
    """,
    """
    CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
)
POSTGRESQL_REVERSED = (
    "DROP TRIGGER audit_no_change ON audit_auditevent",
    "DROP TRIGGER audit_no_truncate ON audit_auditevent",
    "DROP FUNCTION audit_refuse()",
)


def statements(
    sqlite: tuple[str, ...], postgresql: tuple[str, ...]
) -> Callable[[Apps, BaseDatabaseSchemaEditor], None]:
    by_vendor = {"sqlite": sqlite, "postgresql": postgresql}

    def run(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        vendor = schema_editor.connection.vendor
        if vendor not in by_vendor:
            raise RuntimeError(f"Securestore keeps its audit log on SQLite or PostgreSQL, not {vendor}.")
        for statement in by_vendor[vendor]:
            schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    brief = True  # Its code goes through no rows (`runtime.forecast`).

    operations = [
        migrations.RunPython(
            statements(SQLITE, POSTGRESQL),
            statements(SQLITE_REVERSED, POSTGRESQL_REVERSED),
        ),
    ]
