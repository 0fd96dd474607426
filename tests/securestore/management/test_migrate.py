"""`migrate`: Django's own, with words before and patience (tests/integration has PostgreSQL's)."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from runtime import forecast, online
from tests.audit.databases import as_default


@pytest.mark.integration
def test_it_brings_an_empty_database_up_and_back(
    tmp_path: Path, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db")}
    with django_db_blocker.unblock(), as_default(configuration):
        call_command("migrate", verbosity=0)
        executor = MigrationExecutor(connection)
        assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
        monkeypatch.setattr(forecast, "LARGE", 1)
        said = StringIO()
        call_command("migrate", "files", "0008", stdout=said)
        assert said.getvalue().count("This upgrade takes about") == 1
        call_command("migrate", verbosity=0)


@pytest.mark.integration
def test_on_sqlite_a_migration_on_line_is_one_transaction(
    tmp_path: Path, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in its middle leaves nothing of it, where a table is written anew."""
    configuration = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db")}
    with django_db_blocker.unblock(), as_default(configuration):
        call_command("migrate", "files", "0007", verbosity=0)
        before = schema()

        def fail(*args: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(online.AddIndex, "database_forwards", fail)
        with pytest.raises(KeyboardInterrupt):
            call_command("migrate", "files", "0008", verbosity=0)
        assert schema() == before
        monkeypatch.undo()
        call_command("migrate", verbosity=0)


def schema() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
        return list(cursor.fetchall())
