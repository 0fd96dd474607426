"""A database with any number of files and as many grants, filled by the database itself.

Rows as the vault writes them, but for their keys and objects, which no page looks at. The owner has
every file. The reader was granted half of them in person and a quarter through a group; the last
quarter of the grants is of one file, the newest, to a group without members. The newcomer has one
grant, to the oldest file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.db import connection, transaction

WORDS = (
    *("report", "invoice", "contract", "annual", "photo"),
    *("scan", "letter", "draft", "final", "budget", "minutes"),
)
SECOND = 1_000_000 << 11
"""By how much places differ whose files are a second apart."""
BEGIN = 1_700_000_000


@dataclass(frozen=True)
class Population:
    """Who and what there is, by ids as the database has them."""

    size: int
    owner: int
    reader: int
    newcomer: int
    newest: Any
    oldest: Any
    middle_place: int


def populate(size: int) -> Population:
    """Fill the empty, migrated default database with `size` files and `size` grants and one."""
    from django.contrib.auth.models import Group

    from accounts.members import ensure_members_group
    from accounts.models import User
    from files.models import FileRecord

    members = ensure_members_group()
    people = [User.objects.create(username=name) for name in ("owner", "reader", "newcomer")]
    team, crowd = (Group.objects.create(name=name) for name in ("Team", "Crowd"))
    for person in people:
        person.groups.add(members)
    people[1].groups.add(team)
    owner, reader, newcomer = (person.pk for person in people)
    with _indexed_at_the_end(), transaction.atomic(), connection.cursor() as cursor:
        for statement in _files(size, owner):
            cursor.execute(statement)
        newest = _place(size)
        for statement in (
            _grants(f"{reader}", "NULL", f"f.place % {2 * SECOND} = 0"),
            _grants("NULL", f"{team.pk}", f"f.place % {4 * SECOND} = {SECOND}"),
            _grants(f"{newcomer}", "NULL", f"f.place = {_place(1)}"),
            _grants(
                "NULL",
                f"{crowd.pk}",
                f"f.place = {newest}",
                f"files_filerecord f CROSS JOIN ({_series(size // 4)}) s",
            ),
        ):
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    ids = dict(FileRecord.objects.filter(place__in=[newest, _place(1)]).values_list("place", "pk"))
    return Population(size, owner, reader, newcomer, ids[newest], ids[_place(1)], _place(size // 2))


def _place(number: int) -> int:
    return (BEGIN + number) * SECOND


def _on_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _series(count: int) -> str:
    if _on_sqlite():
        more = f"SELECT n + 1 FROM numbers WHERE n < {count}"  # noqa: S608
        return f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL {more}) SELECT n FROM numbers"  # noqa: S608
    return f"SELECT n::bigint FROM generate_series(1, {count}) AS n"  # noqa: S608


def _files(size: int, owner: int) -> tuple[str, ...]:
    """Statements that make objects, and then a file of each, with names of words and a number."""
    new_id = "lower(hex(randomblob(16)))" if _on_sqlite() else "gen_random_uuid()"
    number = "(o.stream_created_at - 1700000000)"
    if _on_sqlite():
        words = "json_array({})".format(", ".join(f"'{word}'" for word in WORDS))
        word = f"json_extract({words}, '$[' || ({{}} % {len(WORDS)}) || ']')"
        digits = f"substr('0000000' || {number}, -7)"
        moment, empty = "datetime(o.stream_created_at, 'unixepoch')", "x''"
    else:
        words = "ARRAY[{}]".format(", ".join(f"'{word}'" for word in WORDS))
        word = f"({words})[1 + ({{}} % {len(WORDS)})::int]"
        digits = f"lpad({number}::text, 7, '0')"
        moment, empty = "to_timestamp(o.stream_created_at)", "''::bytea"
    name = f"{word.format(number)} || ' ' || {word.format(f'({number} / 7)')} || ' '"
    name = f"{name} || {digits} || '.pdf'"
    now = "CURRENT_TIMESTAMP"
    yes, no = ("1", "0") if _on_sqlite() else ("true", "false")
    objects = {
        **{"file_id": new_id, "stream_id": new_id, "object_name": f"CAST({new_id} AS text)"},
        **{"state": "'live'", "custody": "'managed'", "sealed": yes, "reencrypts": no},
        **{"master_key_id": "'key'", "wrapped_key": empty, "carry": empty},
        **{"size": "1000", "object_size": "1200", "reserved": "0"},
        **dict.fromkeys(("etag", "multipart_id", "lease"), "''"),
        **dict.fromkeys(("etags", "tails"), "'[]'"),
        **dict.fromkeys(('"offset"', "part_frames"), "0"),
        **{"stream_created_at": f"{BEGIN} + n", "creator_id": str(owner)},
        **dict.fromkeys(("created_at", "state_changed_at"), now),
    }
    records = {
        **{"id": "o.file_id", "name": name, "folded_name": name, "size": "1000"},
        **{"content_type": "'application/pdf'", "custody": "'managed'", "version": new_id},
        **{"created_at": moment, "place": f"o.stream_created_at * {SECOND}", "updated_at": now},
        **{"owner_id": str(owner), "current_id": "o.id"},
    }
    return (
        _insert("files_storedobject", objects, f"({_series(size)}) s"),
        _insert("files_filerecord", records, "files_storedobject o ORDER BY o.id"),
    )


def _insert(table: str, values: dict[str, str], source: str) -> str:
    columns, expressions = ", ".join(values), ", ".join(values.values())
    # Nothing of it comes from outside.
    return f"INSERT INTO {table} ({columns}) SELECT {expressions} FROM {source}"  # noqa: S608


def _grants(user: str, group: str, condition: str, source: str = "files_filerecord f") -> str:
    values = {
        **{"file_id": "f.id", "file_place": "f.place", "user_id": user, "group_id": group},
        **{"level": "'download'", "reason": "''", "created_at": "CURRENT_TIMESTAMP"},
    }
    return _insert("files_grant", values, f"{source} WHERE {condition}")


@contextmanager
def _indexed_at_the_end() -> Iterator[None]:
    """Both databases build the index of names much faster than they keep it."""
    migration = import_module("files.migrations.0009_names_and_usage")
    with connection.cursor() as cursor:
        if _on_sqlite():
            cursor.execute("PRAGMA cache_size = -400000")
            cursor.execute("DROP TRIGGER filerecord_name_added")
            yield
            cursor.execute("INSERT INTO files_name_index (files_name_index) VALUES ('rebuild')")
            trigger = migration.SQLITE_TRIGGERS["filerecord_name_added"]
            cursor.execute(f"CREATE TRIGGER filerecord_name_added {trigger}")
            cursor.execute("PRAGMA cache_size = -2000")
        else:
            cursor.execute("DROP INDEX filerecord_names")
            yield
            cursor.execute(migration.POSTGRESQL_INDEX)
