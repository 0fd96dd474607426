"""Databases to move from and to, filled with what makes a move go wrong, and compared exactly."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.utils import timezone

import audit
from accounts.models import User
from audit import Event
from files.models import (
    Conflict,
    DatabaseState,
    Entry,
    FileRecord,
    Folder,
    Grant,
    KeptVersion,
    RecentFile,
    StoredObject,
)
from files.recovery import database_closing, database_move, other_database, row_comparing
from files.vault import storing
from files.vault.destinations import Destination
from tests.audit.databases import as_default
from tests.files import trees


def sqlite(folder: Path) -> dict[str, Any]:
    """The configuration of a database in that folder, which is not there yet."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / f"{secrets.token_hex(4)}.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            ),
        },
    }


def postgresql(server: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a new database on that server."""
    name = f"move_{secrets.token_hex(4)}"
    with psycopg.connect(
        host=server["HOST"], user=server["USER"], dbname="postgres", autocommit=True
    ) as other:
        other.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    return {**server, "NAME": name}


def like(configuration: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a copy of that database, which nobody uses at the moment."""
    name = f"move_{secrets.token_hex(4)}"
    if configuration["ENGINE"].endswith("sqlite3"):
        path = Path(configuration["NAME"]).with_name(f"{name}.sqlite3")
        shutil.copyfile(configuration["NAME"], path)
        return {**configuration, "NAME": str(path)}
    with psycopg.connect(
        host=configuration["HOST"], user=configuration["USER"], dbname="postgres", autocommit=True
    ) as other:
        other.execute(f"CREATE DATABASE {name} TEMPLATE {configuration['NAME']}")
    return {**configuration, "NAME": name}


def url_of(configuration: dict[str, Any]) -> str:
    """As it is given to the command."""
    if configuration["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{configuration['NAME']}"
    return f"postgres://{configuration['USER']}@/{configuration['HOST']}/{configuration['NAME']}"


def fill(people: int = 3) -> None:
    """Rows of most kinds in the migrated default database, with values at their bounds."""
    users = [
        User.objects.create(
            username=f"person-ü{number}",
            email=f"p{number}@example.org",
            password="argon2$secret",
            quota=2**62 if number else None,
            last_login=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        )
        for number in range(people)
    ]
    group = Group.objects.create(name="Team 🩷")
    users[0].groups.add(group)
    for user in users:
        for number in range(3):
            record = storing.store(user, [b"content"], name=f"Prüfung {number} 🩷.txt")
            Grant.objects.create(file=record, group=group)
            Grant.objects.create(
                file=record,
                user=users[0] if user is not users[0] else users[1],
                expires_at=timezone.now() + timedelta(microseconds=1),
                reason="''; DROP TABLE \\ \"x\" %s \N{RIGHT-TO-LEFT OVERRIDE}",
            )
            audit.record(Event.FILE_UPLOADED, actor=user, file_id=record.pk, size=2**70, yes=True)
    StoredObject.objects.create(
        file_id=uuid4(),
        object_name=secrets.token_hex(16),
        state=StoredObject.State.DOOMED,
        master_key_id="key",
        wrapped_key=bytes(range(256)),
        carry=b"\x00\xff",
        etags=["a", {"b": [1, None, 2.5]}],
        stream_created_at=2**62,
        state_changed_at=timezone.now(),
    )
    _fill_tree(users[0], group)
    # A row that is no more: its number must not come again, nor its owner's count be lost.
    Grant.objects.order_by("-pk")[0].delete()
    for record in FileRecord.objects.filter(owner=users[-1]):
        record.grants.all().delete()
        record.delete()
    Session.objects.create(session_key="s" * 32, session_data="x", expire_date=timezone.now())


def _fill_tree(owner: User, group: Group) -> None:
    """Folders enough for several batches, so that some come before their parents."""
    names = [f"Straße {number}" for number in range(12)]
    deepest = trees.folder(owner, *names)
    put_away = trees.folder(owner, *names[:3], "Put away")
    Folder.objects.filter(pk=put_away.pk).update(trashed_at=timezone.now(), trashed_by=owner)
    Entry.objects.filter(folder=put_away).delete()
    record = trees.put(FileRecord.objects.filter(owner=owner)[0], deepest)
    Grant.objects.create(folder=deepest, group=group, level="add")
    assert RecentFile.objects.filter(user=owner, file=record).exists()
    there = Destination(record.folder, Conflict.VERSION)
    storing.store(owner, [b"newer"], name=record.name, destination=there)
    KeptVersion.objects.update(modified_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
    assert KeptVersion.objects.get().file_id == record.pk


def contents() -> dict[str, str]:
    """A digest of every table that is moved, of the default database."""
    return {
        model._meta.db_table: row_comparing.digest(model, "default")
        for model in database_closing.moved_models()
    }


@contextmanager
def in_use(configuration: dict[str, Any]) -> Iterator[None]:
    """It is the default database of this thread; nothing of an earlier one is known."""
    with as_default(configuration):
        try:
            yield
        finally:
            other_database.forget()


class Killed(BaseException):
    """The process is no more."""


class Killer:
    """Ends the run at its n-th change of either database, before it or right after it."""

    def __init__(self, at: int) -> None:
        self.left = at
        self._after = at % 2 == 0

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        passed = ("SELECT", "SHOW", "SET", "DECLARE", "FETCH", "PRAGMA", "SAVEPOINT", "RELEASE")
        changes = not str(sql).lstrip().startswith(passed)
        self.left -= changes
        if not changes or self.left:
            return execute(sql, params, many, context)
        if self._after:
            execute(sql, params, many, context)
        raise Killed


def killed(url: str, at: int) -> bool:
    """Move, and die on the way; whether that came to pass. The next run connects anew."""
    killer = Killer(at)
    try:
        other = other_database.connect(url)
        with (
            connection.execute_wrapper(killer),
            connections[other_database.TARGET].execute_wrapper(killer),
        ):
            database_move.move(other)
    except Killed:
        return True
    finally:
        other_database.forget()
        connection.close()
    return False


def state() -> str:
    """What the default database says of itself."""
    row = DatabaseState.objects.first()
    return row.state if row else "in service"
