"""`move_database`: what it takes and refuses (tests/integration moves databases)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from files.recovery import database_closing, database_move, other_database

SECRET = "hunter2"


@pytest.mark.django_db
def test_a_password_among_the_arguments_is_named_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(other: str, **options: object) -> None:
        raise database_closing.MoveFailed(f"{other} does not answer")

    monkeypatch.setattr(database_move, "move", fail)
    out, err = io.StringIO(), io.StringIO()
    url = f"postgres://me:{SECRET}@127.0.0.1:1/name"
    with pytest.raises(CommandError) as refused:
        call_command("move_database", to=url, stdout=out, stderr=err)
    assert "--to-file" in err.getvalue()
    assert SECRET not in str(refused.value) + out.getvalue() + err.getvalue()
    assert other_database.TARGET not in connections.settings


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/n", "nothing", "sqlite://:memory:", "://[", "", "postgres://"]
)
def test_what_is_no_database_to_move_to_is_refused(url: str, tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.touch(mode=0o600)
    path.write_text(url)
    with pytest.raises(CommandError, match="not the URL") as refused:
        call_command("move_database", to_file=str(path))
    assert SECRET not in str(refused.value)
    with pytest.raises(CommandError, match="not the URL"):
        call_command("move_database", "--to", url)


@pytest.mark.django_db
def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("sqlite:////x")
    path.chmod(0o644)
    with pytest.raises(CommandError, match="may read it"):
        call_command("move_database", to_file=str(path))


@pytest.mark.django_db
def test_one_in_service_cannot_be_reopened() -> None:
    with pytest.raises(CommandError, match="in service"):
        call_command("move_database", reopen=True)
