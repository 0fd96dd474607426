"""The database of unit and functional tests begins as a copy of one that was migrated once.

Only where it is in memory, as it is unless somebody says otherwise: there a copy is a few
milliseconds. This is a pytest plugin: `tests/conftest.py` names it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from securestore.management.commands import migrate
from tests.made_once import made_once

_migrate = migrate.Command.handle


def _begin(self: migrate.Command, *args: Any, **options: Any) -> None:
    """Bring the empty database of a run up, as `migrate` does."""
    connection: Any = connections[options["database"]]
    if connection.vendor != "sqlite" or not connection.is_in_memory_db():
        _migrate(self, *args, **options)
        return

    def make(path: Path) -> None:
        _migrate(self, *args, **options)
        with closing(sqlite3.connect(path)) as file:
            connection.connection.backup(file)

    kept = made_once("tests.sqlite3", make)
    connection.ensure_connection()
    with closing(sqlite3.connect(kept)) as file:
        file.backup(connection.connection)


@pytest.fixture(scope="session")
def _migrated_once() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate.Command, "handle", _begin)
        yield patch
