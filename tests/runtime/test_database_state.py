"""A database that is not in service: what the site and commands say, and that nothing changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client

import audit
from accounts.models import User
from audit import triggers
from files.models import DatabaseState, FileRecord
from files.recovery import database_closing
from files.vault import storing
from runtime import database_state
from runtime.findings import Level
from securestore.diagnosis import database

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def known_anew() -> Iterator[None]:
    database_state.forget()
    yield
    database_state.forget()


@pytest.fixture
def alice(s3: object) -> User:
    return User.objects.create(username="alice", email="alice@example.org")


@pytest.fixture
def record(alice: User) -> FileRecord:
    return storing.store(alice, [b"content"], name="a.txt")


def put(state: str) -> None:
    DatabaseState.objects.create(state=state, move=uuid4(), other="postgres://elsewhere/name")
    database_state.forget()


def test_in_service_there_is_nothing_to_say(client: Client) -> None:
    assert database_state.current() is None
    database_state.refuse()
    database_state.refuse_command(["manage.py", "sweep"])
    assert client.get("/accounts/login/").status_code == 200


@pytest.mark.parametrize("state", [database_state.MOVED, database_state.ARRIVING])
def test_one_that_was_moved_or_is_not_complete_serves_nothing(client: Client, state: str) -> None:
    put(state)
    for answer in (client.get("/accounts/login/"), client.post("/accounts/login/")):
        assert answer.status_code == 503
        assert "being moved" in answer.content.decode()
        assert "elsewhere" not in answer.content.decode()
        assert answer["Retry-After"] == "60"
    assert client.get("/healthz").status_code == 200
    with pytest.raises(database_state.NotInService, match="postgres://elsewhere/name"):
        database_state.refuse()
    with pytest.raises(database_state.NotInService):
        call_command("sweep")


def test_one_that_is_closed_serves_what_changes_nothing(
    client: Client, alice: User, record: FileRecord
) -> None:
    client.force_login(alice)
    database_closing.close(uuid4(), "elsewhere")
    assert client.get("/files/").status_code == 200
    for address in ("/files/upload/", "/uploads/", f"/files/{record.pk}/delete/"):
        answer = client.post(address)
        assert answer.status_code == 503
        assert "being moved" in answer.content.decode()
    assert FileRecord.objects.filter(pk=record.pk).exists()
    # A download is an event: it changes something, though it is asked for by GET.
    answer = client.get(f"/files/{record.pk}/download/")
    assert answer.status_code == 503
    assert "being moved" in answer.content.decode()


def test_a_process_that_has_not_looked_yet_is_told_by_the_database(
    client: Client, alice: User, record: FileRecord
) -> None:
    client.force_login(alice)
    assert database_state.current() is None
    database_closing.close(uuid4(), "elsewhere")
    database_state._Known.state = None
    database_state._Known.at = time.monotonic() + 60
    answer = client.post(f"/files/{record.pk}/delete/")
    assert answer.status_code == 503
    assert "being moved" in answer.content.decode()


def test_every_table_that_is_moved_is_shut(alice: User, record: FileRecord) -> None:
    database_closing.close(uuid4(), "elsewhere")
    for change in (
        lambda: User.objects.update(is_active=True),
        lambda: FileRecord.objects.all().delete(),
        lambda: audit.record(audit.Event.SWEPT),
        lambda: User.objects.create(username="late"),
    ):
        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            change()
        assert database_state.behind(refused.value)
    database_closing.reopen()
    assert User.objects.create(username="late").pk


def test_what_keeps_it_closed_is_ours_and_doctor_says_why(alice: User) -> None:
    [line] = database.check_service()
    assert line.level == Level.OK
    database_closing.close(uuid4(), "elsewhere")
    assert triggers.foreign() == []
    [line] = database.check_service()
    assert (line.level, "closed" in line.said) == (Level.FAIL, True)
    database_closing.reopen()
    assert triggers.foreign() == []


@pytest.mark.parametrize("command", ["check", "move_database", "restore_drill", "help"])
def test_commands_that_change_nothing_here_are_let_through(command: str) -> None:
    put(database_state.MOVED)
    database_state.refuse_command(["manage.py", command])


@pytest.mark.parametrize("command", ["sweep", "migrate", "shell", "changepassword", "backup"])
def test_all_others_are_refused(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    monkeypatch.setattr(connection, "close", lambda: None)
    put(database_state.MOVED)
    with pytest.raises(database_state.NotInService, match="Set DATABASE_URL"):
        database_state.refuse_command(["manage.py", command])
    database_state.refuse_command(["manage.py", command, "--help"])
