"""Who asked for what they may not have is on record, and learns nothing from it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.models import FileRecord, Grant, UploadSession
from files.sharing import denials
from tests.files import trees
from tests.files.conftest import Store
from tests.files.test_models import stored


def denied() -> list[dict[str, Any]]:
    events = AuditEvent.objects.filter(event__in=denials.DENIED).order_by("id")
    return [
        {"event": one.event, "by": one.actor_name, "file": one.file_id, **one.data}
        for one in events
    ]


def url(file_id: uuid.UUID, page: str = "download/") -> str:
    return f"/files/{file_id}/{page}"


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_download_of_what_is_not_theirs(
    client: Client, mallory: User, record: FileRecord, exists: bool, method: str
) -> None:
    client.force_login(mallory)
    wanted = record.pk if exists else uuid.uuid4()
    assert getattr(client, method)(url(wanted)).status_code == 404
    assert denied() == [
        {
            "event": "download_denied",
            "by": "mallory",
            "file": wanted,
            "reason": "not visible",
            "door": "files:download",
            "exists": exists,
            "files": 1,
            "last_of_this_hour": None,
        }
    ]
    event = AuditEvent.objects.get(event="download_denied")
    assert event.address
    assert event.request_id


@pytest.mark.parametrize("page", ["", "grants/", "history/", "delete/"])
def test_other_pages_of_it(client: Client, mallory: User, record: FileRecord, page: str) -> None:
    client.force_login(mallory)
    client.get(url(record.pk, page))
    [event] = denied()
    assert (event["event"], event["file"]) == ("access_denied", record.pk)


def test_a_grant_to_download_is_denied_what_takes_more(
    client: Client, bob: User, record: FileRecord, give: Callable[..., Grant]
) -> None:
    give(record, bob)
    client.force_login(bob)
    client.post(url(record.pk, "delete/"))
    [event] = denied()
    assert (event["door"], event["exists"]) == ("files:delete", True)


def test_without_the_permission_to_download(
    client: Client, bob: User, record: FileRecord, give: Callable[..., Grant]
) -> None:
    give(record, bob)
    bob.groups.clear()
    client.force_login(bob)
    assert client.get(url(record.pk)).status_code == 403
    assert client.post("/files/download/", {"file": str(record.pk)}).status_code == 403
    assert [(event["reason"], event["door"]) for event in denied()] == [
        ("no permission", "files:download"),
        ("no permission", "files:download_several"),
    ]


def test_a_zip_names_what_was_missing_and_no_more(
    client: Client, bob: User, alice: User, store: Store, give: Callable[..., Grant]
) -> None:
    own, foreign, nothing = store(bob), store(alice), uuid.uuid4()
    client.force_login(bob)
    files = [str(own.pk), str(foreign.pk), str(nothing)]
    assert client.post("/files/download/", {"file": files}).status_code == 404
    assert {(event["file"], event["exists"]) for event in denied()} == {
        (foreign.pk, True),
        (nothing, False),
    }


def test_a_zip_of_many_is_a_few_events(client: Client, bob: User) -> None:
    client.force_login(bob)
    client.post("/files/download/", {"file": [str(uuid.uuid4()) for _ in range(40)]})
    assert len(denied()) == denials.AT_ONCE
    assert {event["files"] for event in denied()} == {40}


def test_who_is_let_in_is_not_denied(client: Client, alice: User, record: FileRecord) -> None:
    client.force_login(alice)
    for page in ("", "download/", "grants/", "history/"):
        client.get(url(record.pk, page)).close()
    assert denied() == []


def test_an_anonymous_visitor_is_only_sent_to_sign_in(client: Client, record: FileRecord) -> None:
    client.get(url(record.pk))
    assert denied() == []


def test_no_script_fills_the_log(
    client: Client, mallory: User, bob: User, record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials, "PER_HOUR", 5)
    client.force_login(mallory)
    for number in range(12):
        client.get(url(record.pk if number % 2 else uuid.uuid4()))
    assert [event["last_of_this_hour"] for event in denied()] == [None] * 4 + [True]
    # Of others nothing is lost, and of this one it goes on an hour later.
    client.force_login(bob)
    client.get(url(record.pk))
    assert denied()[-1]["by"] == "bob"
    client.force_login(mallory)
    later = timezone.now() + timedelta(hours=1, minutes=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    client.get(url(record.pk))
    assert (denied()[-1]["by"], len(denied())) == ("mallory", 7)


def test_where_more_are_recorded_than_may_be_none_is_added(
    mallory: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after requests at once, each of which found room."""
    for _ in range(3):
        denials.note_folder(mallory, uuid.uuid4(), reason=denials.NOT_VISIBLE, door="folders:zip")
    monkeypatch.setattr(denials, "PER_HOUR", 1)
    denials.note_folder(mallory, uuid.uuid4(), reason=denials.NOT_VISIBLE, door="folders:zip")
    denials.note_upload(mallory, uuid.uuid4())
    denials.note(mallory, [uuid.uuid4()], reason=denials.NOT_VISIBLE, door="files:detail")
    assert len(denied()) == 3


@pytest.mark.parametrize("already", [0, 1, denials.PER_HOUR - 1, denials.PER_HOUR, 300])
def test_what_is_asked_of_the_database_is_the_same(
    client: Client, mallory: User, record: FileRecord, already: int
) -> None:
    client.force_login(mallory)
    denials.note(mallory, [], reason=denials.NOT_VISIBLE, door="")
    for _ in range(already):
        denials.note(mallory, [uuid.uuid4()], reason=denials.NOT_VISIBLE, door="files:download")
    AuditEvent.objects.filter(event=Event.DOWNLOAD_DENIED).count()
    counts = []
    for wanted in (uuid.uuid4(), record.pk, uuid.uuid4(), record.pk):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url(wanted)).status_code == 404
        counts.append(len(captured))
    if already == denials.PER_HOUR - 1:
        # The last one that is recorded, whichever it is.
        assert counts[0] > counts[1]
        counts = counts[1:]
    assert len(set(counts)) == 1


@pytest.mark.parametrize("kind", ["folder", "upload"])
def test_of_folders_and_uploads_as_many_are_recorded_and_the_last_says_so(
    alice: User, mallory: User, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(denials, "PER_HOUR", 3)
    row = stored()
    there = {
        "folder": trees.folder(alice, "Case").pk,
        "upload": UploadSession.objects.create(object=row, owner=alice, length=1).pk,
    }[kind]
    for wanted in (there, uuid.uuid4(), there, there):
        if kind == "folder":
            denials.note_folder(mallory, wanted, reason=denials.NOT_VISIBLE, door="folders:folder")
        else:
            denials.note_upload(mallory, wanted)
    assert [(event["exists"], event["last_of_this_hour"]) for event in denied()] == [
        *((True, None), (False, None), (True, True)),
    ]
