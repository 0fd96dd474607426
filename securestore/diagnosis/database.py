"""The database: does it answer, is it set as the vault needs it, is there room on its disk?

Must never write to it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from runtime import connections, database_state
from runtime.findings import Level, Line, reason

SCARCE, SPENT = 2 << 30, 256 << 20
"""Free bytes on the database's disk that are a warning, and a failure."""

NETWORK_DISKS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs", "afs", "ncp")
OLDEST_POSTGRESQL = 140_000

SPARE = 10
"""Connections that commands and an administrator need beside those that serve."""


def check_database() -> Iterator[Line]:
    """Does it answer, and is it set as the vault needs it?"""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        remedy = "See to DATABASE_URL, and that the database runs."
        yield Line(Level.FAIL, "database", reason(error), remedy)
        return
    if connection.vendor == "postgresql":
        yield from _check_postgresql()
    else:
        yield from _check_sqlite()


def _shown(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return (cursor.fetchone() or [None])[0]


def _check_postgresql() -> Iterator[Line]:
    version = int(_shown("SHOW server_version_num"))
    said = f"PostgreSQL {_shown('SHOW server_version')} answers."
    if version < OLDEST_POSTGRESQL:
        remedy = "Upgrade it to PostgreSQL 14 or newer."
        yield Line(Level.FAIL, "database", said, remedy)
    else:
        yield Line(Level.OK, "database", said)
    yield from _check_connections()
    yield from _check_session()
    unsafe = [name for name in ("fsync", "synchronous_commit") if _shown(f"SHOW {name}") == "off"]
    if unsafe:
        remedy = "Set it to `on`: a power cut would lose what was confirmed."
        yield Line(Level.WARN, "database safety", f"{' and '.join(unsafe)} off.", remedy)
    else:
        yield Line(Level.OK, "database safety", "every commit is synced.")


def _check_connections() -> Iterator[Line]:
    """Are there enough connections for all processes that serve, on all hosts?"""
    part = "connections"
    most = int(_shown("SHOW max_connections")) - int(_shown("SHOW superuser_reserved_connections"))
    pools = connections.census()
    wanted, pool = sum(pools), settings.DATABASE_POOL_SIZE
    serving = f"{len(pools)} processes serve, with {wanted} connections of {most} at most"
    if settings.DATABASE_POOLER != "none":
        said = f"PgBouncer gives them out; each process takes {pool} of it at most."
        yield Line(Level.OK, part, said)
    elif wanted + SPARE > most:
        remedy = (
            "Lower DATABASE_POOL_SIZE, raise max_connections of PostgreSQL, or put PgBouncer "
            "between them (docs/operations.md)."
        )
        yield Line(Level.FAIL if wanted > most else Level.WARN, part, f"{serving}.", remedy)
    else:
        more = (most - wanted - SPARE) // pool
        yield Line(Level.OK, part, f"{serving}: room for {more} more of {pool}.")


def _check_session() -> Iterator[Line]:
    """Does a session begin with the time-outs that the settings say?"""
    part = "time-outs"
    lock = settings.DATABASE_TIMEOUT
    wanted = {"idle_in_transaction_session_timeout": settings.DATABASE_IDLE_TIMEOUT}
    if settings.DATABASE_POOLER == "none":
        lock = settings.COMMAND_LOCK_TIMEOUT
    wanted["lock_timeout"] = lock
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [[*wanted, "jit"]]
        )
        found = dict(cursor.fetchall())
    wrong = [name for name, seconds in wanted.items() if found[name] != str(1000 * seconds)]
    wrong += ["jit"] if found["jit"] != "off" else []
    if wrong:
        remedy = (
            "Set them in connect_query of pgbouncer.ini, as deploy/pgbouncer.ini does."
            if settings.DATABASE_POOLER != "none"
            else "Remove options from DATABASE_URL, or set them there, too."
        )
        yield Line(Level.WARN, part, f"not as in the settings: {', '.join(sorted(wrong))}.", remedy)
    elif settings.DATABASE_POOLER != "none" and settings.SESSION_DATABASE is None:
        remedy = "Set DATABASE_SESSION_URL: `backup` and `restore_drill` refuse to work without."
        yield Line(Level.WARN, part, "PostgreSQL's own programs have no way to it.", remedy)
    else:
        yield Line(Level.OK, part, "a session begins with those of the settings.")


def _check_sqlite() -> Iterator[Line]:
    yield Line(Level.OK, "database", f"SQLite {_shown('SELECT sqlite_version()')} answers.")
    wanted = (
        ("journal_mode", _shown("PRAGMA journal_mode") == "wal" or database_file() is None),
        ("synchronous", int(_shown("PRAGMA synchronous")) >= 2),
        ("foreign_keys", int(_shown("PRAGMA foreign_keys")) == 1),
        ("busy_timeout", int(_shown("PRAGMA busy_timeout")) >= 1000),
    )
    wrong = [name for name, good in wanted if not good]
    if wrong:
        remedy = "Remove options from DATABASE_URL, and set DATABASE_TIMEOUT to 1 or more."
        yield Line(Level.FAIL, "database safety", f"wrong: {', '.join(wrong)}.", remedy)
    else:
        said = "WAL, synchronous, foreign keys and busy timeout are right."
        yield Line(Level.OK, "database safety", said)


def check_service() -> Iterator[Line]:
    """Is the database in service, or was it moved?"""
    if state := database_state.read():
        yield Line(Level.FAIL, "service", state.words, "See docs/operations.md, Move the database.")
        return
    yield Line(Level.OK, "service", "this database is the one in service.")


def check_migrations() -> Iterator[Line]:
    """Is the database of the code's version?"""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        said = f"{len(plan)} are not applied, {plan[0][0]} first."
        yield Line(Level.FAIL, "migrations", said, "Run `manage.py migrate`.")
        return
    yield Line(Level.OK, "migrations", "all are applied.")


def database_file() -> Path | None:
    """Where SQLite's database is on this host; None for another one, and for one in memory."""
    name = str(settings.DATABASES["default"]["NAME"])
    if connection.vendor != "sqlite" or ":memory:" in name or "mode=memory" in name:
        return None
    return Path(name)


def check_disk() -> Iterator[Line]:
    """Is the database on a local disk with room on it?"""
    path = database_file()
    if path is None:
        yield Line(Level.OK, "database disk", "not on this host's disks: look at the server's own.")
        return
    kind = _file_system(path.parent)
    if kind.startswith(NETWORK_DISKS):
        remedy = "Move it to a local disk, or use PostgreSQL: locks do not hold there."
        yield Line(Level.FAIL, "database disk", f"{path} is on a network disk ({kind}).", remedy)
    free = shutil.disk_usage(path.parent).free
    level = Level.FAIL if free < SPENT else Level.WARN if free < SCARCE else Level.OK
    remedy = "" if level == Level.OK else "Make room: a full disk stops every upload."
    yield Line(level, "database disk", f"{free >> 20} MiB are free.", remedy)


def _file_system(folder: Path) -> str:
    """The type of the file system that holds a folder (proc(5), mounts); empty where unknown."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    best = ("", "")
    for words in map(str.split, mounts):
        point = words[1].replace("\\040", " ")
        if folder.resolve().is_relative_to(point) and len(point) >= len(best[0]):
            best = point, words[2]
    return best[1]
