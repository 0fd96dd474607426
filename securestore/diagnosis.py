"""What `doctor` looks at beside store and keys: settings, database, cache, disk, mail, secrets.

Each probe changes nothing that lasts: the cache entry that one of them writes expires by itself.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from stat import S_IMODE
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.core.checks import ERROR, WARNING, CheckMessage, run_checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts import accounting as powers
from accounts import finding
from audit import triggers
from audit.models import AuditEvent
from files.records import derived
from files.upkeep import accounting
from notices import state as queue_state
from runtime import clock, connections, database_state
from runtime.configuration import BASE_DIR, env_file, read_environment
from runtime.findings import Level, Line, Probe, reason

PATIENCE = 10
"""Seconds to wait for a mail server."""

CHILD_PATIENCE = 60
"""Seconds to wait for a second process."""

SCARCE, SPENT = 2 << 30, 256 << 20
"""Free bytes on the database's disk that are a warning, and a failure."""

NAMED = 3
"""Things of a kind that a line names."""

NETWORK_DISKS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs", "afs", "ncp")
OLDEST_POSTGRESQL = 140_000
APART, FAR_APART = 2, 60
"""Seconds between the clocks of this host and of the database that are a warning, and a failure."""

SPARE = 10
"""Connections that commands and an administrator need beside those that serve."""

SECRETS = (
    *("SECRET_KEY", "AUDIT_KEY", "MASTER_KEYS", "AWS_SECRET_ACCESS_KEY"),
    *("DATABASE_URL", "DATABASE_SESSION_URL", "CACHE_URL", "EMAIL_URL"),
)


def probes() -> Iterator[tuple[str, Probe]]:
    """Everything that this module looks at."""
    yield "settings", check_settings
    yield "database", check_database
    yield "service", check_service
    yield "migrations", check_migrations
    yield "audit log", check_audit_log
    yield "foreign triggers", check_foreign
    yield "accounting", check_accounts
    yield "search index", check_upkeep
    yield "folders", check_tree
    yield "names of people", check_names_of_people
    yield "database disk", check_disk
    yield "cache", check_cache
    yield "e-mail", check_mail
    yield "mails", check_mails
    yield "clock", check_clock
    yield "secrets", check_secrets


# --- Settings ------------------------------------------------------------------------------------


def check_settings() -> Iterator[Line]:
    """Django's and our own system checks, as `check --deploy` runs them."""
    try:
        messages = run_checks(include_deployment_checks=True, databases=["default"])
    except Exception:
        # A database that is down has a line of its own.
        messages = run_checks(include_deployment_checks=True)
    loud = [message for message in messages if not message.is_silenced()]
    errors = [message for message in loud if message.level >= ERROR]
    warnings = [message for message in loud if WARNING <= message.level < ERROR]
    said = f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}."
    if not errors and not warnings:
        yield Line(Level.OK, "settings", said)
        return
    level = Level.FAIL if errors else Level.WARN
    remedy = "`manage.py check --deploy --database default` says what to do."
    yield Line(level, "settings", said, remedy)


def _counted(messages: list[CheckMessage], word: str) -> str:
    number = len(messages)
    ids = ", ".join(sorted({message.id or "without an id" for message in messages}))
    return f"{number} {word}{'' if number == 1 else 's'}" + (f" ({ids})" if ids else "")


# --- Database ------------------------------------------------------------------------------------


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
        ("journal_mode", _shown("PRAGMA journal_mode") == "wal" or _database_file() is None),
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


def check_audit_log() -> Iterator[Line]:
    """Would the database refuse to change an event?"""
    missing = sorted(triggers.missing())
    if missing:
        said = f"triggers are missing or off: {', '.join(missing)}."
        remedy = "Run `manage.py migrate audit 0001` and `manage.py migrate`; then `verify_audit`."
        yield Line(Level.FAIL, "audit log", said, remedy)
        return
    yield Line(Level.OK, "audit log", "the triggers that keep it append-only are there.")


def check_foreign() -> Iterator[Line]:
    """Does the database run anything that is not ours?"""
    if found := triggers.foreign():
        said = f"it runs what is not ours: {'; '.join(found[:NAMED])}."
        remedy = "Find out who put it there, remove it, and run `verify_audit`."
        yield Line(Level.FAIL, "foreign triggers", said, remedy)
        return
    yield Line(Level.OK, "foreign triggers", "the database runs nothing but what is ours.")


def check_accounts() -> Iterator[Line]:
    """Do grants, owners, places and powers follow from the log?"""
    found = [*powers.differences(), *accounting.differences()]
    if found:
        said = f"{len(found)} do not follow from the log: {'; '.join(found[:NAMED])}."
        remedy = "Somebody wrote to the database past the vault: run `verify_audit`."
        yield Line(Level.FAIL, "accounting", said, remedy)
        return
    said = "grants, owners, places and powers are what the events made them."
    yield Line(Level.OK, "accounting", said)


def check_upkeep() -> Iterator[Line]:
    """Does the database keep the index of names, and what people store, in step?"""
    part = "search index"
    remedy = "Run `manage.py migrate files 0021` and `manage.py migrate`, which make it anew."
    if missing := sorted(derived.missing()):
        said = f"missing or off: {', '.join(missing)}."
        yield Line(Level.FAIL, part, said, remedy)
    elif differing := [f"{what} ({number})" for what, number in derived.kept_out_of_step()]:
        yield Line(Level.FAIL, part, f"out of step: {', '.join(differing)}.", remedy)
    else:
        said = "names, places and what people store are in step with the files."
        yield Line(Level.OK, part, said)


def check_tree() -> Iterator[Line]:
    """Do folders, their files, owners and names agree with one another?"""
    if differing := [f"{what} ({number})" for what, number in derived.tree_out_of_step()]:
        said = f"not in agreement: {', '.join(differing)}."
        remedy = (
            "Nothing guesses which of them is right: run `verify_audit`, which holds each place "
            "against the log, and restore the last backup of which `doctor` says nothing here."
        )
        yield Line(Level.FAIL, "folders", said, remedy)
        return
    yield Line(Level.OK, "folders", "what stands in which folder, and whose it is, is in step.")


def check_names_of_people() -> Iterator[Line]:
    """Is everybody found by the names that they have?"""
    part = "names of people"
    if number := finding.out_of_step():
        said = f"{number} people and groups are not found by their names."
        yield Line(Level.WARN, part, said, "Run `manage.py sweep`, which sees to it.")
        return
    yield Line(Level.OK, part, "people and groups are found by the names that they have.")


def _database_file() -> Path | None:
    name = str(settings.DATABASES["default"]["NAME"])
    if connection.vendor != "sqlite" or ":memory:" in name or "mode=memory" in name:
        return None
    return Path(name)


def check_disk() -> Iterator[Line]:
    """Is the database on a local disk with room on it?"""
    path = _database_file()
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


# --- Cache, mail, clock --------------------------------------------------------------------------

_WRITE = """
import sys, django
django.setup()
from django.core.cache import cache
cache.set(sys.argv[1], sys.argv[2], 60)
"""


def check_cache() -> Iterator[Line]:
    """Does one process see what another one counts?"""
    key, value = f"doctor-{secrets.token_hex(8)}", secrets.token_hex(8)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE or ""}
    child = subprocess.run(  # noqa: S603  this Python, and nothing from outside
        [sys.executable, "-c", _WRITE, key, value],
        cwd=BASE_DIR,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHILD_PATIENCE,
        check=False,
    )
    if child.returncode:
        said = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
        remedy = "See to CACHE_URL; the default needs `manage.py setup_vault` once."
        yield Line(Level.FAIL, "cache", f"it cannot be written ({said}).", remedy)
        return
    try:
        shared = cache.get(key) == value
    except Exception as error:
        yield Line(Level.FAIL, "cache", reason(error), "See to CACHE_URL.")
        return
    if not shared:
        said = "what one process writes, another one does not see: guesses would not be counted."
        remedy = "Remove CACHE_URL, or set it to redis://host:6379/1."
        yield Line(Level.FAIL, "cache", said, remedy)
        return
    yield Line(Level.OK, "cache", "shared between processes.")


def check_mail() -> Iterator[Line]:
    """Does the mail server let us in? Nothing is sent."""
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    if backend != "smtp":
        said = f"the {backend} backend delivers nothing."
        remedy = "Set EMAIL_URL, or nobody can reset a password."
        yield Line(Level.WARN, "e-mail", said, remedy)
        return
    try:
        with mail.get_connection(timeout=PATIENCE):
            pass
    except Exception as error:
        remedy = "See to EMAIL_URL: host, port, name and password."
        yield Line(Level.FAIL, "e-mail", reason(error), remedy)
        return
    yield Line(Level.OK, "e-mail", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} lets us in.")


def check_mails() -> Iterator[Line]:
    """Does what waits in the queue go out?"""
    now = timezone.now()
    found = queue_state.read(now)
    if found.is_still(now):
        said = f"{found.waiting} wait, the oldest for {_age(found.oldest)}, and nobody sends them."
        remedy = "Start securestore-deliver.service, or run `manage.py deliver` every minute."
        yield Line(Level.FAIL, "mails", said, remedy)
        return
    if found.failing or found.given_up:
        said = f"{found.failing} fail, {found.given_up} were given up"
        said += f"; the server said: {found.last_error}." if found.last_error else "."
        remedy = "The administration's list of mails says of each what the mail server said."
        yield Line(Level.WARN, "mails", said, remedy)
        return
    yield Line(Level.OK, "mails", f"{found.waiting} wait.")


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def check_clock() -> Iterator[Line]:
    """Has the clock gone back behind what was recorded?"""
    now = timezone.now()
    try:
        apart = (clock.now() - now).total_seconds()
    except Exception:
        apart = 0.0  # A database that is down has a line of its own.
    if abs(apart) > APART:
        which = "behind" if apart > 0 else "ahead of"
        said = f"it is {abs(apart):.0f} seconds {which} the database's."
        remedy = "Let a time service (chrony, systemd-timesyncd) set both."
        yield Line(Level.FAIL if abs(apart) > FAR_APART else Level.WARN, "clock", said, remedy)
        return
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC; pages show {settings.TIME_ZONE}."
    try:
        last = AuditEvent.objects.order_by("-id").values_list("at", flat=True).first()
    except Exception:
        # A database that is down has a line of its own.
        last = None
    if last is not None and (last - now).total_seconds() > 60:
        said = f"it says {now:%Y-%m-%d %H:%M:%S} UTC, and an event was recorded at {last:%H:%M:%S}"
        remedy = "Let a time service (chrony, systemd-timesyncd) set it."
        yield Line(Level.FAIL, "clock", f"{said} on {last:%Y-%m-%d}.", remedy)
        return
    yield Line(Level.OK, "clock", said)


# --- Secrets -------------------------------------------------------------------------------------


def check_secrets() -> Iterator[Line]:
    """Who on this host may read the files that hold secrets, and the database?"""
    files = [path for path in [env_file()] if path is not None]
    environment = read_environment()
    for name in SECRETS:
        if source := environment.str(f"{name}_FILE", default=""):
            files.append(Path(source))
    database = _database_file()
    for path in (*files, *([database] if database else [])):
        if _open_to_others(path):
            level = Level.WARN if path == database else Level.FAIL
            said = f"every account on this host may read {path}."
            yield Line(level, "secrets", said, f"Run `chmod 600 {path}`.")
    if not any(map(_open_to_others, files)):
        yield Line(Level.OK, "secrets", f"files that hold some, closed to others: {len(files)}.")


def _open_to_others(path: Path) -> bool:
    """Whether its mode, and those of all folders above it, let any account read it."""
    try:
        if not S_IMODE(path.stat().st_mode) & 0o004:
            return False
        return all(S_IMODE(above.stat().st_mode) & 0o001 for above in path.resolve().parents)
    except OSError:
        return False
