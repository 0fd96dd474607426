"""What is kept beside the rows, by the database or by us: is all of it there, and in step?

For `doctor`, and before a database is moved. Reads whole tables, so no page asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from files.records.names import entry_key, plain_name

SQLITE = frozenset(
    {
        *("filerecord_name_added", "filerecord_name_changed", "filerecord_name_removed"),
        *("filerecord_place_fixed", "grant_place_added", "grant_place_changed"),
        *("filerecord_usage_added", "filerecord_usage_changed", "filerecord_usage_removed"),
        *("filerecord_plain_kept", "folder_plain_added", "folder_plain_kept"),
    }
)
POSTGRESQL = frozenset(
    {
        *("filerecord_place_fixed", "grant_place"),
        *("filerecord_usage_added", "filerecord_usage_changed", "filerecord_usage_removed"),
        *("filerecord_plain", "folder_plain"),
        "filerecord_plain_names",  # An index.
    }
)
_AT_ONCE = 1000
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
_ABOVE = (
    "SELECT a.ancestor_id, f.id, a.distance + 1 FROM files_folder f"
    " JOIN files_ancestry a ON a.descendant_id = f.parent_id"
    " UNION ALL SELECT id, id, 0 FROM files_folder"
)
_TOLD_ABOVE = "SELECT ancestor_id, descendant_id, distance FROM files_ancestry"
_KEPT_SIZES = "SELECT id, kept_bytes FROM files_filerecord WHERE kept_bytes <> 0"
_VERSIONS = (
    "SELECT file_id, CAST(sum(size) AS bigint) FROM files_keptversion"
    " GROUP BY file_id HAVING sum(size) <> 0"
)


def _without_entry(item: str, table: str, parent: str) -> str:
    return (
        f"SELECT i.id FROM {table} i WHERE i.trashed_at IS NULL"  # noqa: S608
        f" AND i.{parent}_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM files_entry e"
        f" WHERE e.{item}_id = i.id AND e.parent_id = i.{parent}_id)"
    )


def _entry_elsewhere(item: str, table: str, parent: str) -> str:
    return (
        f"SELECT e.id FROM files_entry e JOIN {table} i ON i.id = e.{item}_id"  # noqa: S608
        f" WHERE i.trashed_at IS NOT NULL OR i.{parent}_id IS NULL OR i.{parent}_id <> e.parent_id"
    )


_TREE = {
    "owners of files, and of their folders": (
        "SELECT f.id FROM files_filerecord f JOIN files_folder d ON d.id = f.folder_id"
        " WHERE d.owner_id <> f.owner_id"
    ),
    "owners of folders, and of those that they are in": (
        "SELECT f.id FROM files_folder f JOIN files_folder d ON d.id = f.parent_id"
        " WHERE d.owner_id <> f.owner_id"
    ),
    "folders above folders, by their parents alone": f"{_ABOVE} EXCEPT {_TOLD_ABOVE}",
    "folders above folders, that no parents account for": (
        f"{_TOLD_ABOVE} EXCEPT SELECT * FROM ({_ABOVE}) AS expected"  # noqa: S608
    ),
    "files without a name in their folder": _without_entry("file", "files_filerecord", "folder"),
    "folders without a name in theirs": _without_entry("folder", "files_folder", "parent"),
    "names of files where they are not": _entry_elsewhere("file", "files_filerecord", "folder"),
    "names of folders where they are not": _entry_elsewhere("folder", "files_folder", "parent"),
    "what former versions take": f"{_KEPT_SIZES} EXCEPT {_VERSIONS}",
    "what former versions took": f"{_VERSIONS} EXCEPT {_KEPT_SIZES}",
}
_BYTES = {"sqlite": "length(CAST(name AS BLOB))", "postgresql": "octet_length(name)"}
_LOWER = {"sqlite": "lower(name)", "postgresql": 'lower(name COLLATE "C")'}
_DIFFERS = {
    vendor: f"({_BYTES[vendor]} <> length(name) OR {_LOWER[vendor]} <> kept)" for vendor in _BYTES
}
"""Whether a name is more than ASCII, or what is kept of it is not the name in small letters."""


def missing() -> set[str]:
    """The names of triggers and indexes that are not there, or switched off."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            return set(SQLITE - {row[0] for row in cursor.fetchall()})
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND tgrelid IN"
            " (to_regclass('files_filerecord'), to_regclass('files_folder'),"
            " to_regclass('files_grant'))"
            " UNION ALL SELECT 'filerecord_plain_names' FROM pg_index"
            " WHERE indexrelid = to_regclass('filerecord_plain_names') AND indisvalid"
        )
        return set(POSTGRESQL - {row[0] for row in cursor.fetchall()})


def out_of_step() -> Iterator[tuple[str, int]]:
    """What does not agree with the rows, and how often."""
    yield from kept_out_of_step()
    yield from tree_out_of_step()


def kept_out_of_step() -> Iterator[tuple[str, int]]:
    """The same of what the database keeps by itself."""
    on_sqlite = connection.vendor == "sqlite"
    yield from _differing({**_IN_STEP, **(_IN_STEP_ON_SQLITE if on_sqlite else {})})
    if number := sum(plain_name(name) != plain for name, plain in _plain_names_in_question()):
        yield "names, and what a search compares", number


def tree_out_of_step() -> Iterator[tuple[str, int]]:
    """The same of what the tree is kept in, twice and more: parents, ancestors, owners, names."""
    yield from _differing(_TREE)
    if number := sum(entry_key(name) != key for name, key in _keys_in_question()):
        yield "names of files and folders, and their keys", number


def _differing(queries: dict[str, str]) -> Iterator[tuple[str, int]]:
    for what, query in queries.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({query}) AS differing")  # noqa: S608
            [[number]] = cursor.fetchall()
        if number:
            yield what, number


def _plain_names_in_question() -> Iterator[tuple[str, str | None]]:
    """Names and their plain ones, but for those that any database knows to be right.

    And those that wait for a sweep: they have none, and are more than ASCII.
    """
    yield from _in_question(
        "SELECT name, plain_name AS kept FROM files_filerecord"
        " UNION ALL SELECT name, plain_name FROM files_folder",
        f"(kept IS NULL AND {_BYTES[connection.vendor]} = length(name))"
        f" OR (kept IS NOT NULL AND {_DIFFERS[connection.vendor]})",
    )


def _keys_in_question() -> Iterator[tuple[str, str]]:
    """Names and keys of entries, but for those that any database knows to be right."""
    named = " UNION ALL ".join(
        f"SELECT i.name, e.key AS kept FROM files_entry e JOIN {table} i ON i.id = e.{item}_id"  # noqa: S608
        for item, table in (("file", "files_filerecord"), ("folder", "files_folder"))
    )
    yield from _in_question(named, _DIFFERS[connection.vendor])


def _in_question(named: str, condition: str) -> Iterator[tuple[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, kept FROM ({named}) AS named WHERE {condition}")  # noqa: S608
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows
