"""Is this database in service? One that is being moved is closed, and one that was moved stays so.

Two databases on one bucket would delete each other's files. So there is a row that says which of
them is in service, and whatever uses the database obeys it: the site, each command, and, where one
began before the row was written, the database itself, by triggers that refuse every change
(`files.recovery.database_closing`). The row is read here by plain SQL: also before there is a table
for it, and without a model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE: Final = "files_databasestate"

CLOSED, MOVED, ARRIVING = "closed", "moved", "arriving"
"""Being moved elsewhere; moved, for good; not yet all there. In service: no row."""

REFUSAL: Final = "this database is closed to changes"
"""What its triggers say."""

FRESH: Final = 2.0
"""Seconds for which what a process has read is good."""

WITHOUT_DATABASE: Final = frozenset(
    {
        *("help", "--help", "-h", "version", "--version", "check", "diffsettings"),
        *("generate_master_key", "collectstatic", "findstatic", "makemigrations"),
        *("move_database", "restore_drill", "doctor", "audit_anchor"),
    }
)
"""Commands that change nothing of a database, or are about its move."""


class NotInService(CommandError):
    """The database is closed, or was moved, or is not complete. The message says what to do."""


@dataclass(frozen=True, slots=True)
class State:
    """What the row says; `other` is the other database, without its password."""

    state: str
    other: str

    @property
    def readable(self) -> bool:
        """Whether pages that change nothing may go on."""
        return self.state == CLOSED

    @property
    def words(self) -> str:
        """What an operator needs to know."""
        if self.state == MOVED:
            return (
                f"This database was moved to {self.other} and is never used again: two databases "
                "on one bucket would delete each other's files. Set DATABASE_URL to the new one."
            )
        if self.state == ARRIVING:
            return (
                "This database is not complete: its contents are being moved here from "
                f"{self.other}. Run `manage.py move_database` there again: it goes on where it "
                "stopped."
            )
        return (
            f"This database is closed: it is being moved to {self.other}. Run `manage.py "
            "move_database` again, which goes on; or `manage.py move_database --reopen`, which "
            "gives up and puts this one back into service."
        )


def read(using: str = DEFAULT_DB_ALIAS) -> State | None:
    """What the row says now; None in service. Raises what the driver does."""
    connection = connections[using]
    connection.ensure_connection()
    # Not by a cursor of Django's: what a page costs is counted there, and this is no part of it.
    found: list[tuple[Any, ...]] = []
    if _is_there(connection):
        found = _ask(connection, f"SELECT state, other FROM {TABLE}")  # noqa: S608
    return State(*found[0]) if found else None


def _is_there(connection: BaseDatabaseWrapper) -> bool:
    if connection.vendor == "postgresql":
        [[there]] = _ask(connection, f"SELECT to_regclass('{TABLE}') IS NOT NULL")
        return bool(there)
    return bool(_ask(connection, f"SELECT 1 FROM sqlite_master WHERE name = '{TABLE}'"))  # noqa: S608


def _ask(connection: BaseDatabaseWrapper, sql: str) -> list[tuple[Any, ...]]:
    return list(connection.connection.execute(sql).fetchall())


class _Known:
    """What this process has read last."""

    at: float = -FRESH
    state: State | None = None


def current() -> State | None:
    """As `read`, at most every `FRESH` seconds; what it last was where nothing can be read."""
    now = time.monotonic()
    if now - _Known.at >= FRESH:
        _Known.at = now
        try:
            _Known.state = read()
        except Exception:
            # Whatever it is, the request finds it out by itself, and there are words for it.
            return _Known.state
    return _Known.state


def forget() -> None:
    """Read anew the next time."""
    _Known.at = -FRESH
    _Known.state = None


def refuse() -> None:
    """Raise NotInService for whatever would change something. Raises what the driver does."""
    if state := read():
        raise NotInService(state.words)


def refuse_command(arguments: list[str]) -> None:
    """The same for a command line, before anything of it runs; a database that is out is none."""
    command = arguments[1] if len(arguments) > 1 else "help"
    if command in WITHOUT_DATABASE or {"--help", "-h"} & set(arguments):
        return
    try:
        state = read()
    except Exception:
        return  # The command finds out, and says so in its own words.
    finally:
        connections[DEFAULT_DB_ALIAS].close()
    if state:
        raise NotInService(state.words)


def behind(error: BaseException) -> bool:
    """Whether it is what the triggers of a closed database say."""
    return REFUSAL in str(error)
