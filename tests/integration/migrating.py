"""A vault of the first release with many rows, and what each migration shuts out on its way up.

The rule is held twice. By the clock: a reader asks every table in turn, and tells how long it ever
waited. And by what no load of the machine changes: while a transaction holds a lock that readers
wait for, on a table that has rows, it may not touch more of them than a short statement does.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from runtime import online
from tests.audit.databases import as_default

FIRST = [
    ("accounts", "0001_initial"),
    ("audit", "0001_initial"),
    ("files", "0001_initial"),
    ("account", "0001_initial"),
    ("sessions", "0001_initial"),
    ("admin", "0001_initial"),
]
"""Where the oldest vault stands, with what these depend on."""

# Nothing of it comes from outside.
_ROWS = {
    "accounts_user": (
        "INSERT INTO accounts_user (id, password, is_superuser, username, first_name, last_name,"
        " email, is_staff, is_active, date_joined)"
        " SELECT n, '!', false, 'user' || n, '', '', 'user' || n || '@example.org', false, true,"
        " now() FROM generate_series(1, {size} / 10) AS n"
    ),
    "account_emailaddress": (
        'INSERT INTO account_emailaddress (email, verified, "primary", user_id)'
        " SELECT 'user' || n || '@example.org', true, true, n"
        " FROM generate_series(1, {size} / 10) AS n"
    ),
    "files_storedobject": (
        "INSERT INTO files_storedobject (id, file_id, stream_id, object_name, state, custody,"
        " master_key_id, wrapped_key, sealed, size, object_size, etag, reserved, multipart_id,"
        ' "offset", part_frames, etags, tails, carry, lease, stream_created_at, created_at,'
        " state_changed_at, creator_id)"
        " SELECT n, gen_random_uuid(), gen_random_uuid(), md5(n::text), 'live', 'managed', 'key',"
        " decode(repeat('ab', 90), 'hex'), true, 1000, 1200, '', 0, '', 0, 0, '[]', '[]', '', '',"
        " 1700000000 + n, now(), now(), 1 + n % ({size} / 10) FROM generate_series(1, {size}) n"
    ),
    # Some in the same microsecond; and each person has several of a name, whatever its case.
    "files_filerecord": (
        "INSERT INTO files_filerecord (id, name, folded_name, size, content_type, custody, version,"
        " created_at, updated_at, owner_id, current_id)"
        " SELECT file_id, name, lower(name), 1000, 'application/pdf', 'managed', gen_random_uuid(),"
        " to_timestamp(1700000000 + id / 3),"
        " now(), creator_id, id FROM (SELECT *, (ARRAY['report.pdf', 'Report.PDF', 'summary.pdf'])"
        "[1 + (id / ({size} / 10)) % 3] AS name FROM files_storedobject) AS named"
    ),
    "files_grant": (
        "INSERT INTO files_grant (level, reason, created_at, file_id, user_id)"
        " SELECT 'download', '', now(), id, 1 FROM files_filerecord"
    ),
    "audit_auditevent": (
        "INSERT INTO audit_auditevent (id, at, event, actor_name, address, user_agent, request_id,"
        " data, previous_mac, mac) SELECT n, now(), 'swept', '', '', '', '', '{{}}',"
        " md5(n::text), md5((n + 1)::text) FROM generate_series(1, {size}) n"
    ),
}
_LATER = {
    "files_pastwrapping": (
        "INSERT INTO files_pastwrapping (object_id, master_key_id)"
        " SELECT id, key FROM files_storedobject, unnest(ARRAY['first', 'second']) AS key"
    )
}
"""Rows of tables that only some releases had, once they are there."""


@contextmanager
def empty(server: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An empty database on that server, as the default one."""
    name = f"upgrade_{secrets.token_hex(4)}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE template0")
    with as_default({**server, "NAME": name}):
        yield {**server, "NAME": name}


@contextmanager
def twin_of(database: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A second database with the same contents, as the default one."""
    connection.close()
    name = f"twin_{secrets.token_hex(4)}"
    _administer(database, f"CREATE DATABASE {name} TEMPLATE {database['NAME']}")
    try:
        with as_default({**database, "NAME": name}):
            yield {**database, "NAME": name}
    finally:
        _administer(database, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: dict[str, Any], statement: str) -> None:
    with psycopg.connect(
        host=server["HOST"], user=server["USER"], dbname="postgres", autocommit=True
    ) as other:
        other.execute(statement)


def begin(size: int) -> None:
    """Bring the empty default database to the first release, and fill it."""
    MigrationExecutor(connection).migrate(FIRST)
    _fill(_ROWS, size)


def fill_later(size: int) -> None:
    """Fill the tables that have come meanwhile and are still empty."""
    _fill(_LATER, size)


def _fill(rows: dict[str, str], size: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for table in rows.keys() & tables:
            cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
            if cursor.fetchone():
                rows = {name: sql for name, sql in rows.items() if name != table}
        for table, statement in rows.items():
            if table in tables:
                cursor.execute(statement.format(size=size))
                cursor.execute(f"SELECT pg_get_serial_sequence('{table}', 'id')")
                [[sequence]] = cursor.fetchall()
                if sequence:
                    cursor.execute(f"SELECT setval('{sequence}', {2 * size})")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plan() -> list[tuple[str, str]]:
    """The migrations that are left, in their order."""
    executor = MigrationExecutor(connection)
    found = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [(migration.app_label, migration.name) for migration, _ in found]


def apply(migration: tuple[str, str], state: ProjectState | None = None) -> ProjectState:
    """Apply one more; the state of the models after it.

    `state` is that before, which becomes it: to make it anew, of all migrations that were applied,
    takes longer than most of them do.
    """
    return MigrationExecutor(connection).migrate([migration], state=state)


@cache
def is_on_line(migration: tuple[str, str]) -> bool:
    """Whether it is one of those that are no single transaction."""
    return isinstance(MigrationLoader(None).get_migration(*migration), online.Migration)


def contents(database: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The whole schema as text, and a digest of the rows of each table that is filled.

    Without the ids of folders: roots that a migration makes have random ones.
    """
    dump = subprocess.run(
        ["pg_dump", "--schema-only", "-h", database["HOST"], "-U", "postgres", database["NAME"]],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    schema = re.sub(r"(?m)^\\(un)?restrict .*$|^-- .*$", "", dump)
    with connection.cursor() as cursor:
        digests = {}
        there = set(connection.introspection.table_names(cursor))
        for table in there & {*_ROWS, *_LATER, "files_usage"}:
            row = "(to_jsonb(t) - 'folder_id')::text"
            rows = f"md5(string_agg({row}, '|' ORDER BY {row}))"
            cursor.execute(f"SELECT {rows} FROM {table} t")  # noqa: S608
            [[digests[table]]] = cursor.fetchall()
    return schema, digests


# --- By the clock ------------------------------------------------------------------------------


class Reader:
    """Reads a row of every table that is filled, over and over; keeps the longest time it took."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.longest = 0.0
        self.where = ""
        self.rounds = 0
        self._configuration = configuration
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def forget(self) -> None:
        """Begin a new longest time."""
        self.longest, self.where = 0.0, ""

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        with psycopg.connect(
            host=self._configuration["HOST"],
            user=self._configuration["USER"],
            dbname=self._configuration["NAME"],
            autocommit=True,
        ) as reader:
            try:
                while not self._stop.is_set():
                    for table in _ROWS:
                        begun = time.monotonic()
                        reader.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
                        took = time.monotonic() - begun
                        if took > self.longest:
                            self.longest, self.where = took, table
                    self.rounds += 1
                    self._stop.wait(0.002)
            except Exception as error:
                self._failure = error


# --- By locks and rows -------------------------------------------------------------------------

_HELD = (
    "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
    " WHERE l.pid = pg_backend_pid() AND l.granted AND l.mode = 'AccessExclusiveLock'"
    " AND c.relname = ANY(%s)"
)
_WORK = (
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd"
    " + n_tup_del), 0) FROM pg_stat_xact_user_tables"
)
_FILES = "SELECT relname, relfilenode FROM pg_class WHERE relname = ANY(%s)"


class Watch:
    """Looks after each statement what its transaction has locked, and how many rows it touched.

    A tenth of the rows may be, and one reading of them all where a column is added: the check of a
    positive number is looked at, of which three million rows take a second.
    """

    def __init__(self, size: int) -> None:
        self.found: list[str] = []
        self._size = size
        self._since = 0
        self._held: set[str] = set()

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        own: Any = context["connection"]
        if own.in_atomic_block:
            return self._look(own.connection, str(sql), lambda: execute(sql, params, many, context))
        self._held = set()
        if "CONCURRENTLY" in str(sql):
            # Refused inside a transaction; takes no lock that readers wait for.
            return execute(sql, params, many, context)
        with transaction.atomic():
            return self._look(own.connection, str(sql), lambda: execute(sql, params, many, context))

    def _look(self, own: Any, sql: str, execute: Any) -> Any:
        tables = [[*_ROWS, *_LATER]]
        with own.cursor() as cursor:

            def ask(question: str, *parameters: Any) -> list[Any]:
                return list(cursor.execute(question, parameters or None).fetchall())

            def held() -> set[str]:
                return {name for (name,) in ask(_HELD, *tables)}

            def work() -> int:
                return int(ask(_WORK)[0][0])

            if not (self._held and held() & self._held):
                self._since = work()
            before, begun = dict(ask(_FILES, *tables)), work()
            result = execute()
            self._held = held()
            if "ADD COLUMN" in sql:
                self._since += min(work() - begun, self._size)
            touched = work() - self._since
            after = dict(ask(_FILES, *tables))
        anew = {name for name in before.keys() & after.keys() if before[name] != after[name]}
        if self._held and (touched > self._size // 10 or anew):
            self.found.append(
                f"{sorted(self._held)} locked, {touched} rows touched, {sorted(anew)} written "
                f"anew: {sql[:200]}"
            )
        return result


@contextmanager
def watched(size: int) -> Iterator[Watch]:
    """Watch every statement of the default connection."""
    watch = Watch(size)
    with connection.execute_wrapper(watch):
        yield watch


# --- Kills -------------------------------------------------------------------------------------


class Killed(BaseException):
    """The migrating process is no more."""


class Killer:
    """Ends the run at its n-th statement that changes something: before it, or just after it."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.left = at
        self._after = after

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        changes = not str(sql).lstrip().startswith(("SELECT", "SHOW", "SET", "DECLARE", "FETCH"))
        self.left -= changes
        if not changes or self.left:
            return execute(sql, params, many, context)
        if self._after:
            execute(sql, params, many, context)
        raise Killed


def killed(
    migration: tuple[str, str], at: int, *, after: bool, state: ProjectState | None = None
) -> ProjectState | None:
    """Apply a migration, and die on the way. The next connects anew.

    None where that came to pass, and the state after it where it was at its end before. `state` is
    that before it, and stays so.
    """
    killer = Killer(at, after=after)
    try:
        with connection.execute_wrapper(killer):
            return apply(migration, state.clone() if state else None)
    except Killed:
        return None
    finally:
        connection.close()


# --- All of it ---------------------------------------------------------------------------------

OURS = ("accounts", "audit", "files")


def upgrade_beside_a_reader(database: dict[str, Any], size: int) -> dict[str, float]:
    """Upgrade a vault with so many files; how long each migration shut the reader out."""
    begin(size)
    waited: dict[str, float] = {}
    state = None
    with Reader(database) as reader, watched(size) as watch:
        for migration in plan():
            fill_later(size)
            reader.forget()
            watch.found.clear()
            state = apply(migration, state)
            waited[".".join(migration)] = reader.longest
            # Of allauth's and Django's, whose rows are people, the clock alone.
            assert migration[0] not in OURS or watch.found == [], migration
    assert plan() == []
    assert reader.rounds > 10
    return waited
