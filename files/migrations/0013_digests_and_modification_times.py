"""Digests, sealed, and times of modification: columns that may be empty, so no row is written anew."""

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from runtime import online

names_and_usage = import_module("files.migrations.0009_names_and_usage")


def install_again(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite may have made the table of files anew, and its triggers are gone then."""
    if schema_editor.connection.vendor == "sqlite":
        names_and_usage.install(apps, schema_editor)


class Migration(online.Migration):
    dependencies = (("files", "0012_pulse"),)

    operations = (
        # Done last on the way back.
        online.RunPython(migrations.RunPython.noop, install_again),
        online.AddField(
            model_name="storedobject",
            name="chain",
            field=models.BinaryField(
                blank=True, help_text="The content chain before the carry, sealed.", null=True
            ),
        ),
        online.AddField(
            model_name="storedobject",
            name="digest",
            field=models.BinaryField(
                blank=True,
                help_text="The digests of the plaintext, sealed; of a live one.",
                null=True,
            ),
        ),
        online.AddField(
            model_name="uploadsession",
            name="modified_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When the original was last changed, as its client says.",
                null=True,
            ),
        ),
        online.AddField(
            model_name="filerecord",
            name="modified_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="When the original was last changed, as its uploader's computer says.",
                null=True,
                verbose_name="modified",
            ),
        ),
        online.RunPython(install_again, migrations.RunPython.noop),
    )
