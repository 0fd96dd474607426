"""The other database of a move, which is known for as long as the move takes.

Must never repeat a URL, which may have one.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections

from files.recovery.database_closing import MoveFailed
from runtime.configuration import BASE_DIR

TARGET: Final = "target"
"""The alias of the other database."""


def connect(url: str) -> str:
    """Make the database of a URL known as `TARGET`; how it is called, without its password.

    Raises MoveFailed, which repeats nothing of the URL.
    """
    found: dict[str, Any] = {}
    # The library's warning of an unknown scheme would show the password.
    with (
        suppress(ValueError, KeyError, ImproperlyConfigured),
        warnings.catch_warnings(action="ignore"),
    ):
        found = environ.Env.db_url_config(url)
    engine = found.get("ENGINE", "")
    if engine == "django.db.backends.sqlite3" and found["NAME"] != ":memory:":
        path = BASE_DIR / found["NAME"]
        if not path.parent.is_dir():
            raise MoveFailed(f"{path.parent} is not there: make the folder first.")
        found["NAME"] = path
        found["OPTIONS"] = {
            "timeout": 10,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            ),
            **found.get("OPTIONS", {}),
        }
        name = f"sqlite:///{path}"
    elif engine == "django.db.backends.postgresql" and found["NAME"]:
        found["OPTIONS"] = {"connect_timeout": 5, **found.get("OPTIONS", {})}
        port = f":{found['PORT']}" if found.get("PORT") else ""
        name = f"postgres://{found['HOST'] or 'localhost'}{port}/{found['NAME']}"
    else:
        raise MoveFailed(
            "That is not the URL of a database to move to: write it like "
            "postgres://user:password@host:5432/name or sqlite:////path/db.sqlite3, and special "
            "characters of a password as %40 and so on."
        )
    # Without what was left open by an earlier one.
    forget()
    both = {DEFAULT_DB_ALIAS: {**connections[DEFAULT_DB_ALIAS].settings_dict}, TARGET: found}
    connections.settings[TARGET] = connections.configure_settings(both)[TARGET]
    return name[:255]


def forget() -> None:
    """Close the connection to the other database, and know it no more."""
    if TARGET in connections.settings:
        connections[TARGET].close()
        del connections[TARGET]
        del connections.settings[TARGET]


def has_password(url: str) -> bool:
    """Whether there is a password in a URL, which others saw where it was an argument."""
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False


def called(using: str = DEFAULT_DB_ALIAS) -> str:
    """How the database in use is called, without its password."""
    settings = connections[using].settings_dict
    if connections[using].vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"[:255]
    port = f":{settings['PORT']}" if settings.get("PORT") else ""
    return f"postgres://{settings['HOST'] or 'localhost'}{port}/{settings['NAME']}"[:255]


def place(using: str) -> object:
    """The same for two connections to one database, whatever their addresses look like."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        return Path(str(connection.settings_dict["NAME"])).resolve()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::bigint, pg_postmaster_start_time() FROM pg_database"
            " WHERE datname = current_database()"
        )
        return cursor.fetchone()
