"""Each file gets its place in the order of lists, and each grant that of its file."""

from datetime import UTC, datetime, timedelta

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery

import files.places

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """As `files.places` does, but for those of one microsecond in the order of their ids."""
    records = apps.get_model("files", "FileRecord").objects
    to_column = records.model._meta.pk.get_db_prep_value
    last, places = files.places.FIRST, []
    rows = records.order_by("created_at", "id").values_list("pk", "created_at")
    for pk, created_at in rows.iterator():
        moment = (created_at - EPOCH) // timedelta(microseconds=1)
        last = max(moment * files.places.TIES, last + 1)
        places.append((last, to_column(pk, schema_editor.connection)))
    with schema_editor.connection.cursor() as cursor:
        # Not `bulk_update`, which takes minutes for a million.
        cursor.executemany("UPDATE files_filerecord SET place = %s WHERE id = %s", places)
    place = records.filter(pk=OuterRef("file_id")).values("place")
    apps.get_model("files", "Grant").objects.update(file_place=Subquery(place))


class Migration(migrations.Migration):
    dependencies = [("files", "0006_download_session")]

    operations = [
        migrations.AddField(
            "filerecord", "place", files.places.PlaceField(editable=False, null=True)
        ),
        migrations.AddField(
            "grant", "file_place", files.places.FilePlaceField(editable=False, null=True)
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
