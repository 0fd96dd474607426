"""Each file gets its place in the order of lists, and each grant that of its file.

A batch of rows at a time, each committed: who reads or writes goes on meanwhile. What a killed run has
placed keeps its place.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from django.apps.registry import Apps
from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery

import files.records.ordering
from runtime import online
from runtime import schema_changes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The rows of a batch at once: one by one they take six times as long.
PLACE = """
    UPDATE files_filerecord SET place = given.place
        FROM unnest(%s::bigint[], %s::uuid[]) AS given (place, id)
        WHERE files_filerecord.id = given.id AND files_filerecord.place IS NULL
"""
PLACE_GRANTS = """
    UPDATE files_grant SET file_place = files_filerecord.place FROM files_filerecord
        WHERE files_filerecord.id = files_grant.file_id AND files_grant.file_place IS NULL
        AND files_grant.id BETWEEN %s AND %s
"""


def places(rows: Iterator[tuple[Any, datetime, int | None]]) -> Iterator[tuple[int, Any]]:
    """As `files.records.ordering` does, but for those of one microsecond in the order of their ids."""
    last = files.records.ordering.FIRST
    for created_at, group in groupby(rows, key=itemgetter(1)):
        moment = (created_at - EPOCH) // timedelta(microseconds=1)
        together = list(group)
        last = max([last, *(place for _, _, place in together if place is not None)])
        for pk, _, place in together:
            if place is None:
                last = max(moment * files.records.ordering.TIES, last + 1)
                yield last, pk


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    connection = schema_editor.connection
    records = apps.get_model("files", "FileRecord").objects
    rows = records.order_by("created_at", "id").values_list("pk", "created_at", "place")
    given = places(rows.iterator())
    if not schema_changes.is_postgresql(schema_editor):
        to_column = records.model._meta.pk.get_db_prep_value
        with connection.cursor() as cursor:
            # Not `bulk_update`, which takes minutes for a million.
            cursor.executemany(
                "UPDATE files_filerecord SET place = %s WHERE id = %s",
                ((place, to_column(pk, connection)) for place, pk in given),
            )
        place = records.filter(pk=OuterRef("file_id")).values("place")
        apps.get_model("files", "Grant").objects.update(file_place=Subquery(place))
        return
    while batch := list(islice(given, online.BATCH)):
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(PLACE, [[place for place, _ in batch], [pk for _, pk in batch]])
    for first, last in online.batches(schema_editor, "files_grant"):
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(PLACE_GRANTS, [first, last])


class Migration(online.Migration):
    dependencies = [("files", "0006_download_session")]

    operations = [
        online.AddField(
            "filerecord", "place", files.records.ordering.PlaceField(editable=False, null=True)
        ),
        online.AddField(
            "grant", "file_place", files.records.ordering.FilePlaceField(editable=False, null=True)
        ),
        online.RunPython(fill, migrations.RunPython.noop),
    ]
