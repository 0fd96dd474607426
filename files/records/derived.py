"""What the database keeps by itself beside the rows: is all of it there, and in step?

For `doctor`. Reads whole tables, so no page asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

SQLITE = frozenset(
    {
        *("filerecord_name_added", "filerecord_name_changed", "filerecord_name_removed"),
        *("filerecord_place_fixed", "grant_place_added", "grant_place_changed"),
        *("filerecord_usage_added", "filerecord_usage_changed", "filerecord_usage_removed"),
    }
)
POSTGRESQL = frozenset(
    {
        *("filerecord_place_fixed", "grant_place"),
        *("filerecord_usage_added", "filerecord_usage_changed", "filerecord_usage_removed"),
        "filerecord_names",  # An index.
    }
)
_INDEXED = "SELECT id FROM files_name_index_docsize"
_PLACES = "SELECT place FROM files_filerecord"
_STORED = (
    "SELECT owner_id, count(*), CAST(sum(size + kept_bytes) AS bigint) FROM files_filerecord"
    " GROUP BY owner_id"
)
_KEPT = "SELECT owner_id, files, bytes FROM files_usage WHERE files <> 0"
_IN_STEP = {
    "what people store": f"{_STORED} EXCEPT {_KEPT}",
    "what people stored": f"{_KEPT} EXCEPT {_STORED}",
    "places of grants": (
        "SELECT g.id FROM files_grant g JOIN files_filerecord f ON f.id = g.file_id"
        " WHERE g.file_place <> f.place"
    ),
}
_IN_STEP_ON_SQLITE = {
    "names without an entry in the index": f"{_PLACES} EXCEPT {_INDEXED}",
    "entries in the index without a name": f"{_INDEXED} EXCEPT {_PLACES}",
}


def missing() -> set[str]:
    """The names of triggers and indexes that are not there, or switched off."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            return set(SQLITE - {row[0] for row in cursor.fetchall()})
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND tgrelid IN"
            " (to_regclass('files_filerecord'), to_regclass('files_grant'))"
            " UNION ALL SELECT 'filerecord_names' FROM pg_index"
            " WHERE indexrelid = to_regclass('filerecord_names') AND indisvalid"
        )
        return set(POSTGRESQL - {row[0] for row in cursor.fetchall()})


def out_of_step() -> Iterator[tuple[str, int]]:
    """What does not agree with the rows, and how often."""
    on_sqlite = connection.vendor == "sqlite"
    for what, query in {**_IN_STEP, **(_IN_STEP_ON_SQLITE if on_sqlite else {})}.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({query}) AS differing")  # noqa: S608
            [[number]] = cursor.fetchall()
        if number:
            yield what, number
