"""Closing a database to every writer, and what its state says (`runtime.database_state`).

Closed means closed: triggers refuse every change of every table that is moved, so that a process
which began before, on any host, of any release, cannot write. Readers go on. Those who write at the
moment are waited for, and nobody begins meanwhile: what they were told is done is there when it is
closed. Sessions, and the cache, are no part of it: they are not moved, and pages that read need
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.apps import apps
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

import audit
from audit import Event
from files.errors import VaultError
from files.models import DatabaseState, Pulse
from runtime import database_state, schema_changes

PREFIX: Final = "closed_"
"""Of the names of the triggers."""

_FUNCTION: Final = "files_closed"
_SESSIONS: Final = frozenset({"usersessions.UserSession"})
_OWN: Final = (DatabaseState, Pulse)
"""What each database has for itself."""

_FOUNDATION: Final = ("django_migrations",)
"""Closed as well, and not moved: each database has its own."""


class MoveFailed(VaultError):
    """The move did not come to its end. The message says why, and what to do."""


def moved_models() -> list[type[models.Model]]:
    """All that is moved, each after what it refers to. Raises MoveFailed for a circle."""
    left = {
        model._meta.label: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
        and not model._meta.proxy
        and not issubclass(model, AbstractBaseSession)
        and model._meta.label not in _SESSIONS
        and model not in _OWN
    }
    ordered: list[type[models.Model]] = []
    while left:
        free = [
            label
            for label, model in left.items()
            if not {target._meta.label for target in _referred_to(model) if target is not model}
            & left.keys()
        ]
        if not free:
            raise MoveFailed(f"Tables refer to each other in a circle: {', '.join(sorted(left))}.")
        ordered += [left.pop(label) for label in sorted(free)]
    return ordered


def _referred_to(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for field in model._meta.concrete_fields:
        if field.remote_field is not None:
            yield field.remote_field.model


def state_of(using: str = DEFAULT_DB_ALIAS) -> DatabaseState | None:
    """The row of a database; None where it is in service."""
    if not _has_state(connections[using]):
        return None
    return DatabaseState.objects.using(using).first()


def close(move: UUID, other: str) -> None:
    """Close the default database to writers, for a move to `other`; its last event says so.

    Waits for who writes, a second at a time, and lets others go on between. Raises
    `online.StillInUse`.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    tables = _tables()

    def once() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                named = ", ".join(map(connection.ops.quote_name, tables))
                cursor.execute(f"SET LOCAL lock_timeout = '{schema_changes.PATIENCE}'")
                cursor.execute(f"LOCK TABLE {named} IN SHARE ROW EXCLUSIVE MODE")
            audit.record(Event.DATABASE_CLOSED, move=move, to=other)
            DatabaseState.objects.create(
                state=database_state.CLOSED, move=move, other=other, since=timezone.now()
            )
            for statement in _shut(connection, tables):
                cursor.execute(statement)

    schema_changes.patiently(connection, once)
    database_state.forget()


def reopen() -> None:
    """Put the default database back into service, where it was closed and not moved.

    What was copied elsewhere stays unfinished, and is never put into service. Raises MoveFailed.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic():
        row = DatabaseState.objects.select_for_update(no_key=True).first()
        if row is None:
            raise MoveFailed("This database is in service: there is nothing to reopen.")
        if row.state != database_state.CLOSED:
            words = database_state.State(row.state, row.other).words
            raise MoveFailed(f"It cannot be reopened. {words}")
        with connection.cursor() as cursor:
            for statement in _opened(connection):
                cursor.execute(statement)
        row.delete()
        audit.record(Event.DATABASE_REOPENED, move=row.move)
    database_state.forget()


def turn(before: UUID, move: UUID, other: str) -> None:
    """Let the closed default database be moved elsewhere than was begun."""
    rows = DatabaseState.objects.filter(state=database_state.CLOSED, move=before)
    rows.update(move=move, other=other)
    database_state.forget()


def mark_moved(move: UUID) -> bool:
    """Mark the closed default database as moved, for good; whether it still was in that move."""
    rows = DatabaseState.objects.filter(state=database_state.CLOSED, move=move)
    done = bool(rows.update(state=database_state.MOVED, since=timezone.now()))
    database_state.forget()
    return done


# --- Triggers ----------------------------------------------------------------------------------


def _has_state(connection: BaseDatabaseWrapper) -> bool:
    """Whether there is a table of it: a database from before has none."""
    by_vendor = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name = %s",
        "postgresql": "SELECT to_regclass(%s)",
    }
    with connection.cursor() as cursor:
        cursor.execute(by_vendor[connection.vendor], [database_state.TABLE])
        return any(cursor.fetchone() or ())


def as_made() -> list[str]:
    """The statements that made what keeps the default database closed; none in service."""
    row = state_of()
    if row is None or row.state == database_state.ARRIVING:
        return []
    return list(_shut(connections[DEFAULT_DB_ALIAS], _tables()))


def _tables() -> list[str]:
    return [*(model._meta.db_table for model in moved_models()), *_FOUNDATION]


def _shut(connection: BaseDatabaseWrapper, tables: list[str]) -> Iterator[str]:
    quote = connection.ops.quote_name
    if connection.vendor == "postgresql":
        yield (
            f"CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN RAISE EXCEPTION '{database_state.REFUSAL}'"
            " USING ERRCODE = 'read_only_sql_transaction'; END $$"
        )
    for table in tables:
        if connection.vendor == "postgresql":
            yield (
                f"CREATE TRIGGER {quote(PREFIX + table)} BEFORE INSERT OR UPDATE OR DELETE"
                f" OR TRUNCATE ON {quote(table)} FOR EACH STATEMENT EXECUTE FUNCTION {_FUNCTION}()"
            )
            continue
        for change in ("INSERT", "UPDATE", "DELETE"):
            yield (
                f"CREATE TRIGGER {quote(f'{PREFIX}{table}_{change.lower()}')} BEFORE {change}"
                f" ON {quote(table)} BEGIN SELECT RAISE(ABORT, '{database_state.REFUSAL}'); END"
            )


def _opened(connection: BaseDatabaseWrapper) -> Iterator[str]:
    quote = connection.ops.quote_name
    if connection.vendor == "postgresql":
        yield f"DROP FUNCTION IF EXISTS {_FUNCTION}() CASCADE"
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        if name.startswith(PREFIX):
            yield f"DROP TRIGGER {quote(name)}"


@contextmanager
def as_default(alias: str) -> Iterator[None]:
    """Let another database be the default one of this thread, for a while.

    So that what is checked of the one in service is checked of the other by the same code.
    """
    original = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[alias]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = original
