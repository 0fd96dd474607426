"""Commands that cannot reach the database say so in one line."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError

from audit import chain
from files.management.commands import setup_vault
from notices import queue

GONE = [OperationalError("the server went away\nat line 1"), InterfaceError("it is closed")]


@pytest.mark.parametrize("error", GONE)
@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        ("deliver", queue, "deliver"),
        ("audit_anchor", chain, "head"),
        ("setup_vault", setup_vault, "ensure_members_group"),
    ],
)
@pytest.mark.usefixtures("s3", "db")
def test_a_database_that_went_away_is_a_sentence(
    command: str, module: object, name: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(module, name, fail)
    with pytest.raises(CommandError, match="The database did not answer") as told:
        call_command(command)
    assert "line 1" not in str(told.value)
