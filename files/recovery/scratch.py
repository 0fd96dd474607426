"""Scratch areas: a copy of the database to look at, and gone afterwards, however it ends.

An area is a folder of mode 0700 with a lock that its processes hold. What a killed run left has a
lock that nobody holds, and the next run removes it, its scratch database too. Never opens the live
database.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings

from files.records.postgresql import ProgramFailed, environment, run_program
from files.recovery.backups import BackupFailed, Manifest, check_sqlite
from runtime.configuration import read_environment, url

PREFIX: Final = "securestore-drill-"
DATABASE_PREFIX: Final = "securestore_drill_"
_LOCK: Final = "lock"
_NAME: Final = "database"
_SETTLED: Final = 10.0
"""Seconds after which an area that is being made has its lock."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """A scratch area: what its processes hold, and the URL and the name of its database."""

    folder: Path
    lock: IO[bytes]
    database_url: str
    database: str


@contextmanager
def restored(manifest: Manifest, copy: Path, *, below: Path | None = None) -> Iterator[Scratch]:
    """Restore a verified copy into an area of its own, below the folder for temporary files.

    Raises BackupFailed, OSError.
    """
    base = below or Path(tempfile.gettempdir())
    remove_remains(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    with (folder / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if manifest.database == "sqlite":
                yield _sqlite(folder, lock, copy)
            else:
                yield _postgresql(folder, lock, copy)
        finally:
            _remove(folder)


def remove_remains(base: Path) -> int:
    """Remove the areas that nobody holds any more; how many there were."""
    removed = 0
    for folder in base.glob(f"{PREFIX}*"):
        found = folder.stat()
        if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _SETTLED:
            continue
        try:
            with (folder / _LOCK).open("rb+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError:
            pass  # Killed before there was a lock, or removed by another run just now.
        _remove(folder)
        removed += 1
    return removed


def _remove(folder: Path) -> None:
    with suppress(OSError):
        name = (folder / _NAME).read_text(encoding="ascii").strip()
        if name.startswith(DATABASE_PREFIX):
            with suppress(ProgramFailed):
                run_program(["dropdb", "--if-exists", "--force", "--no-password", name], _server())
    shutil.rmtree(folder, ignore_errors=True)


def _sqlite(folder: Path, lock: IO[bytes], copy: Path) -> Scratch:
    target = folder / "db.sqlite3"
    shutil.copyfile(copy, target)
    try:
        with closing(sqlite3.connect(target)) as database:
            problems = check_sqlite(database)
    except sqlite3.Error as error:
        problems = str(error)
    if problems:
        raise BackupFailed(f"The copy is not sound: {problems}.")
    return Scratch(folder, lock, f"sqlite:///{quote(str(target))}", str(target))


def _postgresql(folder: Path, lock: IO[bytes], copy: Path) -> Scratch:
    name = f"{DATABASE_PREFIX}{secrets.token_hex(6)}"
    # Before it exists, so that a killed run leaves its name.
    (folder / _NAME).write_text(name, encoding="ascii")
    try:
        run_program(["createdb", "--template=template0", "--no-password", name], _server())
        with copy.open("rb") as dump:
            run_program(
                [
                    "pg_restore",
                    "--no-owner",
                    "--no-privileges",
                    "--exit-on-error",
                    "--no-password",
                    f"--dbname={name}",
                ],
                environment(),
                stdin=dump,
            )
    except ProgramFailed as failed:
        raise BackupFailed(
            f"It could not be restored. {failed} The drill makes a database of its own: the role "
            "needs CREATEDB (ALTER ROLE ... CREATEDB)."
        ) from None
    return Scratch(folder, lock, _url_of(name), name)


def _server() -> dict[str, str]:
    """The environment for making and dropping databases: connected to none of ours."""
    return {**environment(), "PGDATABASE": "postgres"}


def _url_of(name: str) -> str:
    """The configured DATABASE_URL with another database in it; behind a pooler, of a session."""
    session = settings.SESSION_DATABASE is not None
    configured = "DATABASE_SESSION_URL" if session else "DATABASE_URL"
    parts = urlsplit(url(read_environment(), configured, ""))
    # A socket's folder comes before the name: postgres://user@//run/postgresql/name.
    return urlunsplit(parts._replace(path=f"{parts.path.rpartition('/')[0]}/{name}"))
