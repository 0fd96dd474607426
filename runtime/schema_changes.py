"""Changes of PostgreSQL's tables, which its readers hardly notice, and which can be repeated.

What shuts readers out is done for a moment alone and never waited for longer than `PATIENCE`; what
stands already is left as it is. Must never change a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.core.management.base import CommandError
from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PATIENCE: Final = "1s"
"""How long a lock that shuts readers out is waited for: as long do they wait behind it."""

PAUSE: Final = 2.0
"""Seconds in which those who waited are served before it is tried again."""

TRIES: Final = 200
"""How often: ten minutes, about."""

LOCK_NOT_AVAILABLE: Final = "55P03"


class StillInUse(CommandError):
    """Somebody reads or writes a table without an end, so it could not be changed."""


def is_postgresql(editor: BaseDatabaseSchemaEditor) -> bool:
    """Whether the operations below do anything else than Django's."""
    return editor.connection.vendor == "postgresql" and not editor.collect_sql


# --- Locks -------------------------------------------------------------------------------------


def waited_in_vain(error: BaseException) -> bool:
    """Whether a lock was not to be had in time."""
    return getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE


def briefly(editor: BaseDatabaseSchemaEditor, work: Callable[[], object]) -> None:
    """Do `work`, which takes a moment, in a transaction of its own; again if it cannot be begun.

    What the schema editor would do at the end of all belongs to it. Raises StillInUse.
    """
    connection = editor.connection
    if not is_postgresql(editor) or connection.in_atomic_block:
        work()
        return

    def once() -> None:
        with transaction.atomic(using=connection.alias):
            editor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            work()
            while editor.deferred_sql:
                editor.execute(editor.deferred_sql.pop(0), None)

    later = list(editor.deferred_sql)

    def again() -> None:
        editor.deferred_sql[:] = later

    patiently(connection, once, again)


def patiently(
    connection: BaseDatabaseWrapper,
    work: Callable[[], object],
    again: Callable[[], object] = lambda: None,
) -> None:
    """Try until the locks are had; `again` is called between two tries. Raises StillInUse."""
    for left in reversed(range(TRIES)):
        try:
            work()
        except OperationalError as error:
            if not waited_in_vain(error):
                raise
            if not left:
                raise StillInUse(_who_is_in_the_way(connection)) from None
        else:
            return
        again()
        time.sleep(PAUSE)


def _who_is_in_the_way(connection: BaseDatabaseWrapper) -> str:
    # Not what they ask: a statement may hold what is nobody's business.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, usename, coalesce(application_name, ''), state,"
            " extract(epoch FROM now() - xact_start)::bigint FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1"
        )
        found = cursor.fetchone()
    who = (
        "The oldest transaction is of process {}, {} {} ({}), for {} seconds.".format(*found)
        if found
        else "Nobody is there now."
    )
    return (
        f"A table is in use and could not be changed in {TRIES} tries. {who} Wait until it has "
        "ended, or end it; then run `manage.py migrate` again: it goes on where it stopped."
    )


@contextmanager
def unhurried(editor: BaseDatabaseSchemaEditor) -> Iterator[None]:
    """For statements that shut nobody out: they may wait, and take, as long as they must."""
    limits = ("lock_timeout", "statement_timeout")
    before = {}
    with editor.connection.cursor() as cursor:
        for name in limits:
            cursor.execute(f"SHOW {name}")
            [before[name]] = cursor.fetchone()
            if before[name] != "0":
                cursor.execute(f"SET {name} = 0")
    try:
        yield
    finally:
        with editor.connection.cursor() as cursor:
            for name, value in before.items():
                if value != "0":
                    cursor.execute(f"SET {name} = '{value}'")


# --- What stands -------------------------------------------------------------------------------


def _ask(editor: BaseDatabaseSchemaEditor, sql: str, *parameters: str) -> bool:
    with editor.connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({sql})", parameters)
        [[answer]] = cursor.fetchall()
    return bool(answer)


def has_table(editor: BaseDatabaseSchemaEditor, table: str) -> bool:
    with editor.connection.cursor() as cursor:
        return table in editor.connection.introspection.table_names(cursor)


def has_column(editor: BaseDatabaseSchemaEditor, table: str, column: str) -> bool:
    found = (
        "SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s"
        " AND NOT attisdropped"
    )
    return _ask(editor, found, table, column)


def _is_not_null(editor: BaseDatabaseSchemaEditor, table: str, column: str) -> bool:
    found = (
        "SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s AND attnotnull"
    )
    return _ask(editor, found, table, column)


def _has_constraint(editor: BaseDatabaseSchemaEditor, table: str, name: str) -> bool:
    found = "SELECT FROM pg_constraint WHERE conrelid = to_regclass(%s) AND conname = %s"
    return _ask(editor, found, table, name)


def _has_index(editor: BaseDatabaseSchemaEditor, name: str) -> bool:
    return _ask(editor, "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s)", name)


# --- Indexes and constraints -------------------------------------------------------------------


def create_index(editor: BaseDatabaseSchemaEditor, name: str, statement: str) -> None:
    """Make an index beside readers and writers, unless it is there; PostgreSQL only.

    `statement` says CONCURRENTLY. What a killed run left of it is not valid, and goes first.
    """
    sound = "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid"
    if _ask(editor, sound, name):
        return
    with unhurried(editor):
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {editor.quote_name(name)}", None)
        editor.execute(statement, None)


def drop_index(editor: BaseDatabaseSchemaEditor, name: str) -> None:
    """Remove an index beside readers and writers, if it is there; PostgreSQL only."""
    with unhurried(editor):
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {editor.quote_name(name)}", None)


def _create_unique_index(
    editor: BaseDatabaseSchemaEditor, name: str, table: str, columns: str, more: str = ""
) -> None:
    create_index(
        editor,
        name,
        f"CREATE UNIQUE INDEX CONCURRENTLY {editor.quote_name(name)}"
        f" ON {editor.quote_name(table)} ({columns}){more}",
    )


def create_unique(editor: BaseDatabaseSchemaEditor, name: str, table: str, columns: str) -> None:
    """A unique constraint over an index that is made beforehand."""
    if _has_constraint(editor, table, name):
        return
    _create_unique_index(editor, name, table, columns)
    quoted = editor.quote_name(name)
    briefly(
        editor,
        lambda: editor.execute(
            f"ALTER TABLE {editor.quote_name(table)} ADD CONSTRAINT {quoted}"
            f" UNIQUE USING INDEX {quoted}",
            None,
        ),
    )


def create_check(editor: BaseDatabaseSchemaEditor, name: str, table: str, statement: str) -> None:
    """A check that holds for what is written from now on; then for what is there."""
    if not _has_constraint(editor, table, name):
        briefly(editor, lambda: editor.execute(f"{statement} NOT VALID", None))
    with unhurried(editor):
        editor.execute(
            f"ALTER TABLE {editor.quote_name(table)} VALIDATE CONSTRAINT {editor.quote_name(name)}",
            None,
        )


def drop_constraint(editor: BaseDatabaseSchemaEditor, name: str, table: str) -> None:
    """Take a constraint away, if it is there."""
    briefly(
        editor,
        lambda: editor.execute(
            f"ALTER TABLE {editor.quote_name(table)} DROP CONSTRAINT IF EXISTS"
            f" {editor.quote_name(name)}",
            None,
        ),
    )


def require_values(editor: BaseDatabaseSchemaEditor, table: str, column: str) -> None:
    """NOT NULL, by a check that has been found to hold, so that no row is looked at for it."""
    if _is_not_null(editor, table, column):
        return
    name = f"{table}_{column}_given"[:63]
    target, quoted = editor.quote_name(table), editor.quote_name(column)
    check = f"CHECK ({quoted} IS NOT NULL)"
    create_check(
        editor,
        name,
        table,
        f"ALTER TABLE {target} ADD CONSTRAINT {editor.quote_name(name)} {check}",
    )

    def require() -> None:
        editor.execute(f"ALTER TABLE {target} ALTER COLUMN {quoted} SET NOT NULL", None)
        editor.execute(f"ALTER TABLE {target} DROP CONSTRAINT {editor.quote_name(name)}", None)

    briefly(editor, require)
