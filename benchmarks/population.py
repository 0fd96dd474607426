"""A database with any number of files, in folders, and as many grants, filled by the database.

Rows as the vault writes them, but for their keys and objects, which no page looks at. Of `size`
files the owner has every one, in a tenth as many folders, which are a tree with ten below each: a
fifth of the files in one folder, a tenth below the first of the outermost, a few in a chain of as
many folders as there may be. Of the grants a fifth are on folders. The reader was granted two
fifths in person and a fifth through a group; a fifth is of one file, the newest, and half of those
on folders of one folder, to a group without members. The joiner is in 150 groups, of which each
was granted some folders. The newcomer has one grant, to the oldest file; the guest has one, on the
chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID

from django.db import connection, transaction

DEEPEST = 32
"""As `files.models.folders` has it, which is known only where Django is set up."""

WORDS = (
    *("report", "invoice", "contract", "annual", "photo"),
    *("scan", "letter", "draft", "final", "budget", "minutes"),
)
SECOND = 1_000_000 << 11
"""By how much places differ whose files are a second apart."""
BEGIN = 1_700_000_000
GROUPS = 150
"""That one person is in."""
BIG, CHAIN = 1 << 40, 1 << 41
"""Numbers of folders beside those of the tree, which has the others from 1 on."""


@dataclass(frozen=True)
class Population:
    """Who and what there is, by ids as the database has them."""

    size: int
    owner: int
    reader: int
    newcomer: int
    joiner: int
    guest: int
    newest: Any
    oldest: Any
    middle_place: int
    root: Any
    big: Any
    """A fifth of the files are in this folder itself."""
    tree: Any
    """More than a tenth of the files are below it, in a ninth of the folders."""
    deepest: Any
    granted: Any
    """A folder that was granted very often."""


def populate(size: int) -> Population:
    """Fill the empty, migrated default database with `size` files and `size` grants and one."""
    from django.contrib.auth.models import Group

    from accounts.members import ensure_members_group
    from accounts.models import User
    from files.models import FileRecord
    from files.tree import placing

    members = ensure_members_group()
    names = ("owner", "reader", "newcomer", "joiner", "guest", "stranger")
    people = [User.objects.create(username=name) for name in names]
    team, crowd = (Group.objects.create(name=name) for name in ("Team", "Crowd"))
    joined = [Group.objects.create(name=f"Group {number}") for number in range(GROUPS)]
    for person in people:
        person.groups.add(members)
    people[1].groups.add(team)
    people[3].groups.add(*joined)
    owner, reader, newcomer, joiner, guest, stranger = (person.pk for person in people)
    root = placing.root_of(people[0])
    folders = _Folders(max(size // 10, 20), owner, _literal(root.pk))
    with _indexed_at_the_end(), transaction.atomic(), connection.cursor() as cursor:
        for statement in (*folders.made(), *_files(size, owner, folders), *folders.entries()):
            cursor.execute(statement)
        newest = _place(size)
        number = f"(f.place / {SECOND} - {BEGIN})"
        series = f"({_series(max(size // 5, 1))}) s"
        for statement in (
            _grants(f"{reader}", "NULL", f"{number} % 5 IN (0, 2)"),
            _grants("NULL", f"{team.pk}", f"{number} % 5 = 1"),
            _grants(f"{newcomer}", "NULL", f"f.place = {_place(1)}"),
            _grants(
                "NULL",
                f"{crowd.pk}",
                f"f.place = {newest}",
                f"files_filerecord f CROSS JOIN {series}",
            ),
            *folders.grants(reader, team.pk, stranger, guest, [group.pk for group in joined]),
        ):
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if _on_sqlite() else "VACUUM ANALYZE")
    ids = dict(FileRecord.objects.filter(place__in=[newest, _place(1)]).values_list("place", "pk"))
    return Population(
        size=size,
        owner=owner,
        reader=reader,
        newcomer=newcomer,
        joiner=joiner,
        guest=guest,
        newest=ids[newest],
        oldest=ids[_place(1)],
        middle_place=_place(size // 2),
        root=root.pk,
        big=UUID(int=BIG),
        tree=UUID(int=1),
        deepest=UUID(int=CHAIN + DEEPEST),
        granted=UUID(int=2),
    )


def _place(number: int) -> int:
    return (BEGIN + number) * SECOND


def _on_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _series(count: int) -> str:
    if _on_sqlite():
        more = f"SELECT n + 1 FROM numbers WHERE n < {count}"  # noqa: S608
        return f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL {more}) SELECT n FROM numbers"  # noqa: S608
    return f"SELECT n::bigint FROM generate_series(1, {count}) AS n"  # noqa: S608


def _literal(pk: UUID) -> str:
    return f"'{pk.hex}'" if _on_sqlite() else f"'{pk}'::uuid"


def _folder_id(number: str) -> str:
    """The id of the folder of that number, as the database writes it."""
    if _on_sqlite():
        return f"printf('%032x', {number})"
    return f"lpad(to_hex(({number})::bigint), 32, '0')::uuid"


@dataclass(frozen=True)
class _Folders:
    """Statements that make so many folders of one person, below their root."""

    count: int
    owner: int
    root: str

    def made(self) -> Iterator[str]:
        name = "substr('0000000' || {n}, -7)" if _on_sqlite() else "lpad(({n})::text, 7, '0')"
        fixed = {"owner_id": str(self.owner), "added_by_id": str(self.owner)}
        fixed["created_at"] = "CURRENT_TIMESTAMP"
        tree = f"({_series(self.count)}) s"
        inner = f"CASE WHEN n < 10 THEN {self.root} ELSE {_folder_id('n / 10')} END"
        yield self._insert(tree, "n", inner, "'Folder ' || " + name.format(n="n"), fixed)
        yield self._insert("(SELECT 1 AS n) s", str(BIG), self.root, "'Big'", fixed)
        chain = f"({_series(DEEPEST)}) s"
        above = f"CASE WHEN n = 1 THEN {self.root} ELSE {_folder_id(f'{CHAIN} + n - 1')} END"
        yield self._insert(chain, f"{CHAIN} + n", above, "'Deep ' || n", fixed)
        # Ancestors: each folder itself, the root, and what is above it in its tree.
        folders = "files_folder f WHERE f.parent_id IS NOT NULL"
        yield _insert("files_ancestry", self._row("f.id", "f.id", "0"), folders)
        depth = " + ".join(
            ["1", *(f"(CASE WHEN n >= 1{'0' * k} THEN 1 ELSE 0 END)" for k in _TENS)]
        )
        to_root = self._row(self.root, _folder_id("n"), depth)
        yield _insert("files_ancestry", to_root, tree)
        for k in _TENS:
            up = self._row(_folder_id(f"n / 1{'0' * k}"), _folder_id("n"), str(k))
            yield _insert("files_ancestry", up, f"{tree} WHERE n >= 1{'0' * k}")
        to_big = self._row(self.root, _folder_id(str(BIG)), "1")
        yield _insert("files_ancestry", to_big, "(SELECT 1) s")
        to_chain = self._row(self.root, _folder_id(f"{CHAIN} + n"), "n")
        yield _insert("files_ancestry", to_chain, chain)
        pairs = f"{chain} CROSS JOIN (SELECT n AS m FROM {chain}) u"  # noqa: S608
        within = self._row(_folder_id(f"{CHAIN} + m"), _folder_id(f"{CHAIN} + n"), "n - m")
        yield _insert("files_ancestry", within, f"{pairs} WHERE m < n")

    def of_file(self, number: str) -> str:
        """The id of the folder of the file of that number."""
        leaves = self.count // 10
        return (
            f"CASE WHEN {number} <= {DEEPEST} THEN {_folder_id(f'{CHAIN} + {number}')}"
            f" WHEN {number} % 10 IN (0, 1) THEN {_folder_id(str(BIG))}"
            f" WHEN {number} % 10 = 2 THEN {_folder_id(f'{leaves} + {number} % {leaves}')}"
            f" ELSE {_folder_id(f'1 + {number} % {self.count}')} END"
        )

    def entries(self) -> Iterator[str]:
        """What gives each folder and file its name in its folder; the names are ASCII."""
        of_folder = {"parent_id": "parent_id", "key": "lower(name)", "folder_id": "id"}
        yield _insert("files_entry", of_folder, "files_folder WHERE parent_id IS NOT NULL")
        of_file = {"parent_id": "folder_id", "key": "lower(name)", "file_id": "id"}
        yield _insert("files_entry", of_file, "files_filerecord")

    def grants(
        self, reader: int, team: int, stranger: int, guest: int, joined: list[int]
    ) -> Iterator[str]:
        """A quarter each to the reader and, in equal parts, their group and the joiner's; and half
        of them of one folder to people who are nobody else here. To groups so many cannot be: what
        a group has, it is not given twice."""
        tree = f"({_series(self.count)}) s"
        folder = _folder_id("n")
        group = f"{joined[0]} + n % {len(joined)}"
        yield self._grant(folder, f"{reader}", "NULL", f"{tree} WHERE n % 2 = 0")
        yield self._grant(folder, "NULL", f"{team}", f"{tree} WHERE n % 4 = 1")
        yield self._grant(folder, "NULL", group, f"{tree} WHERE n % 4 = 3")
        one = _folder_id("2")
        yield self._grant(one, f"{stranger}", "NULL", tree)
        yield self._grant(_folder_id(f"{CHAIN} + 1"), f"{guest}", "NULL", "(SELECT 1 AS n) s")

    def _insert(
        self, source: str, number: str, parent: str, name: str, fixed: dict[str, str]
    ) -> str:
        values = {"id": _folder_id(number), "parent_id": parent, "name": name, **fixed}
        values["plain_name"] = f"lower({name})"
        return _insert("files_folder", values, source)

    def _row(self, ancestor: str, descendant: str, distance: str) -> dict[str, str]:
        return {"ancestor_id": ancestor, "descendant_id": descendant, "distance": distance}

    def _grant(self, folder: str, user: str, group: str, source: str) -> str:
        values = {
            **{"folder_id": folder, "user_id": user, "group_id": group},
            **{"level": "'manage'", "reason": "''", "created_at": "CURRENT_TIMESTAMP"},
        }
        return _insert("files_grant", values, source)


_TENS = range(1, 7)


def _files(size: int, owner: int, folders: _Folders) -> tuple[str, ...]:
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
        **{"id": "o.file_id", "name": name, "folded_name": name, "plain_name": name},
        **{"size": "1000", "content_type": "'application/pdf'"},
        **{"custody": "'managed'", "version": new_id},
        **{"created_at": moment, "place": f"o.stream_created_at * {SECOND}", "updated_at": now},
        **{"owner_id": str(owner), "uploaded_by_id": str(owner), "current_id": "o.id"},
        **{"folder_id": folders.of_file(number)},
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
    """Both databases build the index of names much faster than they keep it.

    And PostgreSQL asks afterwards of every row whether what it names is there.
    """
    migration = import_module("files.migrations.0022_plain_names")
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
            cursor.execute("DROP INDEX filerecord_plain_names")
            # Ten million rows that are named by others, each looked for: several minutes.
            cursor.execute("SET session_replication_role = replica")
            yield
            cursor.execute("RESET session_replication_role")
            cursor.execute(
                "INSERT INTO files_usage (owner_id, files, bytes)"
                " SELECT owner_id, count(*), sum(size) FROM files_filerecord GROUP BY owner_id"
            )
            cursor.execute(migration.POSTGRESQL_INDEX.replace("CONCURRENTLY", ""))
