"""What only PostgreSQL has: its own programs, and parameters that travel beside a statement.

The programs are told where the database is by their environment: a password never gets into an
argument, which every account of the machine could read.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Final

from django.conf import settings
from django.db import connection

from files.errors import VaultError

_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}
_BEAT: Final = 0.5
"""Seconds between two signs of life of a running program."""


class ProgramFailed(VaultError):
    """A program is missing or ended with an error."""


def environment() -> dict[str, str]:
    """The environment in which libpq finds the default database, and nothing else of ours.

    Behind a pooler that is the one of `DATABASE_SESSION_URL`: what these programs set for their
    session would be left to whoever has the connection next. Raises ProgramFailed without one.
    """
    parameters = _parameters()
    found = {
        variable: str(parameters[name])
        for name, variable in _VARIABLES.items()
        if parameters.get(name)
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **found}


def _parameters() -> Mapping[str, Any]:
    if settings.DATABASE_POOLER == "none":
        return connection.get_connection_params()
    if settings.SESSION_DATABASE is None:
        raise ProgramFailed(
            "PostgreSQL's own programs need a session of their own: set DATABASE_SESSION_URL "
            "(docs/operations.md, PgBouncer)."
        )
    meant = {**connection.settings_dict, "OPTIONS": {}, **settings.SESSION_DATABASE}
    return type(connection.copy())(meant, "session").get_connection_params()


def run_program(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    beat: Callable[[], object] = lambda: None,
) -> None:
    """Run one of PostgreSQL's programs to its end. Raises ProgramFailed with its last words."""
    try:
        process = subprocess.Popen(  # noqa: S603  every argument is made here, none by a shell
            command,
            env=dict(env),
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise ProgramFailed(
            f"{command[0]} is not installed: install PostgreSQL's client programs "
            "(Debian and Ubuntu: apt-get install postgresql-client)."
        ) from None
    with process:
        while True:
            try:
                _, said = process.communicate(timeout=_BEAT)
                break
            except subprocess.TimeoutExpired:
                beat()
            except BaseException:
                process.kill()
                raise
    beat()
    if process.returncode:
        words = said.decode(errors="replace").strip().splitlines()
        raise ProgramFailed(f"{command[0]}: {words[-1] if words else 'failed'}.")


def execute_binary(statement: str, parameters: Sequence[object]) -> int:
    """Run a statement with `%b` for each parameter; how many rows it changed.

    Django writes parameters into the text of a statement, in hexadecimal where they are bytes, and
    the server reads them out of it again: of many kilobytes, that is most of the work. Here they go
    as they are. Raises what Django's own cursors do.
    """
    # Only where it is used: a site on SQLite may be without PostgreSQL's library.
    from psycopg import Cursor

    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount
