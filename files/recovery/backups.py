"""Copies of the database, made while the service runs, each with a manifest of what is in it.

A copy is of one moment. It gets its name when it has been read back and found whole, the manifest
after it, and an older copy goes only after that: whatever is killed, a copy with a manifest is
good. What a killed run left is removed by the next. Holds no key: those in the database are
wrapped. Leaves out who is signed in, what the cache counts, and mails: none is for another day.
Never writes to the database that it copies.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Self

from django import get_version
from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from audit.chain import GENESIS
from audit.models import AuditEvent
from files.crypto.output import sync_folder
from files.errors import VaultError
from files.models import FileRecord, Folder, Grant, KeptVersion, StoredObject
from files.records.postgresql import ProgramFailed, environment, run_program
from files.recovery.key_export import snapshot
from notices.models import Mail
from runtime.configuration import BASE_DIR

FORMAT: Final = "securestore-backup/1"
PREFIX: Final = "securestore-"
SUFFIXES: Final = {"sqlite": ".sqlite3", "postgresql": ".dump"}
PAGES: Final = 2048
"""Pages of SQLite that are copied at a time: 8 MiB."""

_FOLDERS_SINCE: Final = "files.0017_folders"

Progress = Callable[[int, int | None], object]
Query = Callable[[str], list[tuple[Any, ...]]]


class BackupFailed(VaultError):
    """No backup was made, or it is not what was made. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy is and what is in it. Not secret, though it counts."""

    created_at: str
    database: str
    file: str
    size: int
    sha256: str
    counts: dict[str, int]
    file_bytes: int
    audit_anchor: str
    master_keys: dict[str, int]
    migrations: list[str]
    version: str
    django: str
    format: str = FORMAT

    def as_json(self) -> str:
        """The manifest as it is kept."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises BackupFailed."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise BackupFailed(f"{path} is of another format than {FORMAT}.")
            manifest = cls(**data)
            if manifest.file != path.stem + SUFFIXES[manifest.database]:
                raise BackupFailed(f"{path} names a file that is not beside it.")
            return manifest
        except OSError as error:
            raise BackupFailed(f"{path} cannot be read ({error.strerror}).") from None
        except (ValueError, TypeError, KeyError):
            raise BackupFailed(f"{path} is not the manifest of a backup.") from None


# --- Making one --------------------------------------------------------------------------------


def back_up(
    folder: Path, *, keep: int | None = None, progress: Progress
) -> tuple[Path, list[Path]]:
    """Copy the database into `folder`; the manifest's path, and the copies removed for `keep`.

    `progress` is told bytes done and in all, as far as that is known. Raises BackupFailed; OSError
    as the file system does.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        _remove_remains(folder)
        name = f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        scratch = folder / f".{name}.part"
        scratch.mkdir(mode=0o700)
        try:
            manifest = _copy(scratch, name, progress)
            path = folder / f"{name}.json"
            _write(scratch / path.name, manifest.as_json())
            (scratch / manifest.file).rename(folder / manifest.file)
            sync_folder(folder)
            (scratch / path.name).rename(path)
            sync_folder(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        verify(path)
        return path, _prune(folder, keep) if keep else []


def _copy(scratch: Path, name: str, progress: Progress) -> Manifest:
    created = datetime.now(UTC)
    vendor = connection.vendor
    target = scratch / f"{name}{SUFFIXES[vendor]}"
    target.touch(mode=0o600)
    facts = (_copy_sqlite if vendor == "sqlite" else _dump_postgresql)(target, progress)
    return Manifest(
        created_at=created.isoformat(timespec="seconds"),
        database=vendor,
        file=target.name,
        size=target.stat().st_size,
        sha256=sha256(target),
        version=version(),
        django=get_version(),
        **facts,
    )


def _copy_sqlite(target: Path, progress: Progress) -> dict[str, Any]:
    """SQLite's backup API over one read transaction: no writer waits, none makes it start over."""
    page = 4096

    def tell(_status: int, left: int, pages: int) -> None:
        progress((pages - left) * page, pages * page)

    connection.ensure_connection()
    source = connection.connection
    try:
        if connection.in_atomic_block:
            # The backup API would wait for this very transaction: a test's, on a small database.
            target.write_bytes(source.serialize())
        with closing(sqlite3.connect(target)) as copy:
            with snapshot():
                # The transaction begins with its first read.
                (page,) = source.execute("PRAGMA page_size").fetchone()
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if not connection.in_atomic_block:
                    source.backup(copy, pages=PAGES, progress=tell)
            # One file, whole in itself: nothing of it may be in a second one.
            copy.execute("PRAGMA journal_mode=DELETE")
            copy.execute("PRAGMA secure_delete=ON")
            for table in left_out():
                copy.execute(f'DELETE FROM "{table}"')  # noqa: S608 - names of our own tables
            copy.commit()
            problems = check_sqlite(copy)
            if problems:
                raise BackupFailed(f"The copy is not sound ({problems}). Check the database.")
            facts = _facts(lambda sql: copy.execute(sql).fetchall())
    except sqlite3.Error as error:
        raise BackupFailed(f"The copy could not be made ({error}). Nothing was left.") from None
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return facts


def left_out() -> list[str]:
    """The tables of which a copy has no rows: sessions, caches that lie in the database, and mails.

    A restored copy must not send again what was sent meanwhile.
    """
    from allauth.usersessions.models import UserSession
    from django.contrib.sessions.models import Session

    caches = {
        str(cache.get("LOCATION"))
        for cache in settings.CACHES.values()
        if cache["BACKEND"] == "django.core.cache.backends.db.DatabaseCache"
    }
    found = {UserSession._meta.db_table, Session._meta.db_table, Mail._meta.db_table, *caches}
    return sorted(found.intersection(connection.introspection.table_names()))


def check_sqlite(database: sqlite3.Connection) -> str:
    """What SQLite's checks say against a database and its index of names; empty: nothing."""
    [(said, *_), *_] = database.execute("PRAGMA integrity_check(1)").fetchall()
    if said != "ok":
        return str(said)
    dangling = database.execute("PRAGMA foreign_key_check").fetchone()
    if dangling:
        return f"a row of {dangling[0]} points nowhere"
    tables = "SELECT 1 FROM sqlite_master WHERE name = 'files_name_index'"
    if database.execute(tables).fetchone():  # Older copies have none.
        try:
            # The way in which FTS5 is told to compare itself with the names.
            database.execute(
                "INSERT INTO files_name_index (files_name_index, rank)"
                " VALUES ('integrity-check', 1)"
            )
        except sqlite3.DatabaseError:
            return "the index of names is not in step with the files: `doctor` says what to do"
        finally:
            database.rollback()
    return ""


def _dump_postgresql(target: Path, progress: Progress) -> dict[str, Any]:
    """`pg_dump` of the very snapshot in which the rows are counted."""
    with snapshot(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        ((exported,),) = cursor.fetchall()

        facts = _facts(partial(_rows, cursor))
        command = [
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            f"--snapshot={exported}",
            *(f'--exclude-table-data="{table}"' for table in left_out()),
        ]
        try:
            with target.open("wb") as out:
                run_program(
                    command, environment(), stdout=out, beat=lambda: progress(out.tell(), None)
                )
                os.fsync(out.fileno())
            with target.open("rb") as dump:
                run_program(["pg_restore", "--list"], environment(), stdin=dump)
        except ProgramFailed as failed:
            raise BackupFailed(f"{failed} Nothing was left.") from None
    return facts


def _facts(query: Query) -> dict[str, Any]:
    """What is in a database, by SQL that both databases understand."""
    from django.contrib.auth import get_user_model

    migrations = [
        f"{app}.{name}"
        for app, name in query("SELECT app, name FROM django_migrations ORDER BY app, name")
    ]
    tables: dict[str, type[Model]] = {
        "files": FileRecord,
        "objects": StoredObject,
        "grants": Grant,
        "users": get_user_model(),
        "events": AuditEvent,
    }
    # A drill asks before it migrates what an earlier release has made.
    if _FOLDERS_SINCE in migrations:
        tables |= {"folders": Folder, "versions": KeptVersion}
    counts = {
        name: int(query(f'SELECT count(*) FROM "{model._meta.db_table}"')[0][0])  # noqa: S608
        for name, model in tables.items()
    }
    objects, events = StoredObject._meta.db_table, AuditEvent._meta.db_table
    size = query(f'SELECT coalesce(sum(size), 0) FROM "{FileRecord._meta.db_table}"')  # noqa: S608
    head = query(f'SELECT id, mac FROM "{events}" ORDER BY id DESC LIMIT 1')  # noqa: S608
    keys = query(
        f'SELECT master_key_id, count(*) FROM "{objects}"'  # noqa: S608
        f" WHERE state <> '{StoredObject.State.DOOMED}' GROUP BY master_key_id"
    )
    number, mac = head[0] if head else (0, GENESIS)
    return {
        "counts": counts,
        "file_bytes": int(size[0][0]),
        "audit_anchor": f"{number}:{mac}",
        "master_keys": {str(key_id): int(count) for key_id, count in keys},
        "migrations": migrations,
    }


def facts_of_default() -> dict[str, Any]:
    """The same of the database of this process: for the drill, which compares."""

    with connection.cursor() as cursor:
        return _facts(partial(_rows, cursor))


def _rows(cursor: CursorWrapper, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return list(cursor.fetchall())


def version() -> str:
    """The version of the code."""
    with (BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def sha256(path: Path) -> str:
    """In lower-case hexadecimal, read a piece at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


# --- Looking after them ------------------------------------------------------------------------


def find(folder: Path) -> list[Path]:
    """The manifests in a folder, the newest last."""
    return sorted(folder.glob(f"{PREFIX}*.json"))


def verify(manifest_path: Path) -> Manifest:
    """Compare a copy with its manifest, to the last byte. Raises BackupFailed."""
    manifest = Manifest.read(manifest_path)
    path = manifest_path.with_name(manifest.file)
    try:
        size, digest = path.stat().st_size, sha256(path)
    except OSError as error:
        raise BackupFailed(f"{path} cannot be read ({error.strerror}).") from None
    if size != manifest.size:
        raise BackupFailed(f"{path} has {size} bytes, its manifest says {manifest.size}.")
    if digest != manifest.sha256:
        raise BackupFailed(f"{path} is not the file that its manifest names: other SHA-256.")
    return manifest


def _prune(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest `keep` copies: the manifest first, so that it never misses one."""
    removed = []
    for path in find(folder)[:-keep]:
        try:
            copy = path.with_name(Manifest.read(path).file)
        except BackupFailed:
            continue  # Not ours, or of another version: left alone.
        path.unlink()
        copy.unlink(missing_ok=True)
        removed.append(copy)
    return removed


def _remove_remains(folder: Path) -> None:
    """Take away what killed runs left: parts, and copies that never got their manifest."""
    for path in folder.glob(f".{PREFIX}*.part"):
        shutil.rmtree(path, ignore_errors=True)
    named = {path.stem for path in find(folder)}
    for suffix in SUFFIXES.values():
        for path in folder.glob(f"{PREFIX}*{suffix}"):
            if path.name.removesuffix(suffix) not in named:
                path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One run at a time in a folder. Raises BackupFailed when another is at work."""
    with _open_lock(folder / f".{PREFIX}lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed(f"Another backup into {folder} is running.") from None
        yield


def _open_lock(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+")
