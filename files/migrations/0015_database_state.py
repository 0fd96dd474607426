"""Whether the database is in service; that it was moved is never changed again, whoever asks."""

import django.utils.timezone
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

MESSAGE = "this database was moved, for good"
SQLITE_TRIGGERS = {
    "databasestate_moved_stays": f"""
        BEFORE UPDATE ON files_databasestate WHEN OLD.state = 'moved'
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
    """,
    "databasestate_moved_is_kept": f"""
        BEFORE DELETE ON files_databasestate WHEN OLD.state = 'moved'
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
    """,
    # Such an insert removes the row that is there without running its trigger.
    "databasestate_moved_is_not_replaced": f"""
        BEFORE INSERT ON files_databasestate
        WHEN EXISTS (SELECT 1 FROM files_databasestate WHERE state = 'moved')
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
    """,
}
POSTGRESQL = (
    f"""
    CREATE FUNCTION files_moved_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.state = 'moved' THEN
            RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'restrict_violation';
        END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END
    $$
    """,
    """
    CREATE TRIGGER databasestate_moved_stays BEFORE UPDATE OR DELETE ON files_databasestate
    FOR EACH ROW EXECUTE FUNCTION files_moved_stays()
    """,
)


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "sqlite":
        for name, body in SQLITE_TRIGGERS.items():
            schema_editor.execute(f"CREATE TRIGGER {name} {body}")
        return
    for statement in POSTGRESQL:
        schema_editor.execute(statement)


def uninstall(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "sqlite":
        for name in SQLITE_TRIGGERS:
            schema_editor.execute(f"DROP TRIGGER {name}")
        return
    schema_editor.execute("DROP TRIGGER databasestate_moved_stays ON files_databasestate")
    schema_editor.execute("DROP FUNCTION files_moved_stays()")


class Migration(migrations.Migration):
    dependencies = [("files", "0014_sharing_what_one_owns")]
    brief = True

    operations = [
        migrations.CreateModel(
            name="DatabaseState",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("state", models.CharField(max_length=8)),
                ("move", models.UUIDField(help_text="The same at both ends.")),
                (
                    "other",
                    models.CharField(
                        help_text="The other database, without a password.", max_length=255
                    ),
                ),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                ("progress", models.JSONField(default=dict)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="databasestate_one"
                    )
                ],
            },
        ),
        migrations.RunPython(install, uninstall),
    ]
