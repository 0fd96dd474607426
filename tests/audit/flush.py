"""Lets the test runner empty the audit log, which the database refuses to everybody else.

A test that commits (`transactional_db`, `django_db(transaction=True)`) is cleaned up by Django's
`flush`, which deletes every row of every table. For the length of that command, and inside
`lifted()`, the triggers are gone. The program itself has no such switch. Tests that roll back
need none of this. This is a pytest plugin: `tests/conftest.py` names it in `pytest_plugins`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db import connection

append_only = import_module("audit.migrations.0002_append_only")
CREATE = {"sqlite": append_only.SQLITE, "postgresql": append_only.POSTGRESQL}
DROP = {"sqlite": append_only.SQLITE_REVERSED, "postgresql": append_only.POSTGRESQL_REVERSED}


@contextmanager
def lifted() -> Iterator[None]:
    """The log without its triggers, as somebody with all rights in the database has it."""
    _execute(DROP[connection.vendor])
    try:
        yield
    finally:
        _execute(CREATE[connection.vendor])


def _execute(statements: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture(scope="session", autouse=True)
def _flush_lifts_the_triggers() -> Iterator[None]:
    original = flush.Command.handle

    def handle(self: flush.Command, **options: Any) -> None:
        with lifted():
            original(self, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush.Command, "handle", handle)
        yield
