"""A file's history: who did what, and nothing of who was refused but to readers of the log."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

import audit
from accounts.models import User
from audit import Event, context
from files.models import FileRecord
from files.sharing import history
from tests.files.test_models import filed

NOBODY = 10**6
PROGRAM = context.Context(token_id=1, token_name="backup of Mallory's", address="192.0.2.1")


@pytest.fixture
def file(alice: User) -> FileRecord:
    return filed(alice)


def newest(file: FileRecord, *, reads_log: bool = False) -> history.Entry:
    [entry] = history.page_of(file, before=None, length=1, reads_log=reads_log).entries
    return entry


def test_whom_it_was_for_is_named_or_gone(alice: User, bob: User, file: FileRecord) -> None:
    team = Group.objects.create(name="Team")
    for details, said in (
        ({"user_id": bob.pk}, "for bob"),
        ({"group_id": team.pk}, "for group “Team”"),
        ({"user_id": NOBODY}, "for a person who is gone"),
        ({"group_id": NOBODY}, "for a group that is gone"),
    ):
        audit.record(Event.GRANT_CREATED, actor=alice, file_id=file.pk, **details)
        assert newest(file).details == said


@pytest.mark.parametrize("reads_log", [False, True])
@pytest.mark.parametrize("event", [Event.DOWNLOAD_DENIED, Event.ACCESS_DENIED])
def test_who_was_refused_is_told_to_readers_of_the_log_alone(
    mallory: User, file: FileRecord, event: Event, reads_log: bool
) -> None:
    """Nor what they call the token of their program: it may be a name."""
    with context.active(PROGRAM):
        audit.record(event, actor=mallory, file_id=file.pk, reason="not visible", sender="Eve")
    entry = newest(file, reads_log=reads_log)
    assert "Eve" not in entry.details
    if reads_log:
        assert (entry.who, entry.token) == ("mallory", PROGRAM.token_name)
        assert entry.address == PROGRAM.address
        assert entry.details == f"not visible, by the token “{PROGRAM.token_name}”"
    else:
        assert (entry.who, entry.token, entry.address) == (str(history.SOMEBODY), "", "")
        assert entry.details == "not visible"


def test_what_was_let_through_is_told_with_its_program_and_its_sender(
    bob: User, file: FileRecord
) -> None:
    with context.active(PROGRAM):
        audit.record(Event.FILE_UPLOADED, actor=bob, file_id=file.pk, sender="Ann", size=1000)
    entry = newest(file)
    assert (entry.who, entry.token, entry.address) == ("bob", PROGRAM.token_name, "")
    assert entry.details == (f"1,000 bytes, from outside: Ann, by the token “{PROGRAM.token_name}”")


def test_a_command_is_called_one_and_how_a_download_ended_is_said(file: FileRecord) -> None:
    with context.active(context.Context(actor_name="command:rotate_file_keys")):
        audit.record(Event.FILE_DOWNLOADED, file_id=file.pk, outcome="aborted", bytes=9000)
    entry = newest(file)
    assert (entry.who, entry.details) == (
        "the command rotate_file_keys",
        "aborted, 9,000 bytes sent",
    )


def test_pages_go_on_before_the_last_entry(alice: User, file: FileRecord) -> None:
    for _ in range(3):
        audit.record(Event.RENAMED, actor=alice, file_id=file.pk)
    audit.record(Event.RENAMED, actor=alice, file_id=filed(alice).pk)
    first = history.page_of(file, before=None, length=2, reads_log=False)
    last = history.page_of(file, before=first.before, length=2, reads_log=False)
    numbers = [one.number for one in (*first.entries, *last.entries)]
    assert numbers == sorted(numbers, reverse=True)
    assert (len(first.entries), len(last.entries), last.before) == (2, 1, 0)
    assert history.page_of(file, before=None, length=3, reads_log=False).before == 0
