"""How many transfers may run at once, of one person and in all; pages go on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.models import User
from audit.models import AuditEvent
from files.models import FileRecord
from files.vault import storing
from securestore.transfer_limits import PLACES, TRANSFERS, NoPlace, Places, whose
from tests.files.conftest import give
from tests.files.doors import ROUTES
from tests.integration.services import wait_until

TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """None is taken by what another test left behind."""
    monkeypatch.setattr(PLACES, "_running", Counter())
    monkeypatch.setattr("securestore.transfer_limits.PATIENCE", 0.01)
    monkeypatch.setattr("securestore.transfer_limits.LATELY", 600.0)
    return PLACES


@pytest.fixture
def record(s3: object, alice: User) -> FileRecord:
    return storing.store(alice, [b"x" * 1000], name="a")


@pytest.fixture
def member(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_a_place_is_given_back() -> None:
    places = Places()
    for _ in range(100):
        places.take(1)
        places.give_back(1)
    assert not places.running()


def test_one_person_has_not_all_of_them(settings: Settings) -> None:
    settings.TRANSFERS_PER_PERSON, settings.TRANSFERS_AT_ONCE = 2, 3
    places = Places()
    places.take(1)
    places.take(1)
    with pytest.raises(NoPlace) as own:
        places.take(1)
    places.take(2)
    with pytest.raises(NoPlace) as anybodys:
        places.take(3)
    assert (own.value.number, own.value.is_own) == (2, True)
    assert (anybodys.value.number, anybodys.value.is_own) == (3, False)


def waits(places: Places, person: int) -> Future[None]:
    """Somebody who waits for a place, in a thread of theirs."""
    told: Future[None] = Future()

    def run() -> None:
        try:
            places.take(person, patience=60)
        except NoPlace as refused:
            told.set_exception(refused)
        else:
            told.set_result(None)

    before = len(places._waiting)
    threading.Thread(target=run, daemon=True).start()
    wait_until(lambda: len(places._waiting) > before or told.done())
    return told


def test_in_a_crowd_that_moves_places_are_waited_for_in_turn(settings: Settings) -> None:
    settings.TRANSFERS_AT_ONCE, settings.TRANSFERS_PER_PERSON = 3, 1
    places = Places()
    for person in (1, 2, 5):
        places.take(person)
    own, first, second = waits(places, 1), waits(places, 3), waits(places, 4)
    # Whoever has one already keeps nobody waiting.
    places.give_back(2)
    assert first.result(30) is None
    assert not second.done()
    assert places.running() == 3
    places.give_back(3)
    assert second.result(30) is None
    places.give_back(1)
    assert own.result(30) is None
    assert places.running() == 3


def test_nobody_waits_where_nothing_moves(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRANSFERS_AT_ONCE = 1
    places = Places()
    places.take(1)
    monkeypatch.setattr("securestore.transfer_limits.LATELY", 0.0)
    told = waits(places, 2)
    assert isinstance(told.exception(30), NoPlace)
    assert places.running() == 1


def test_no_more_wait_than_have_moved(settings: Settings) -> None:
    settings.TRANSFERS_AT_ONCE = 1
    places = Places()
    places.take(1)
    waiting = waits(places, 2)
    # One has begun, and one waits.
    assert isinstance(waits(places, 3).exception(30), NoPlace)
    places.give_back(1)
    assert waiting.result(30) is None


def test_who_has_waited_long_enough_is_refused(settings: Settings) -> None:
    settings.TRANSFERS_AT_ONCE = 1
    places = Places()
    places.take(1)
    with pytest.raises(NoPlace):
        places.take(2, patience=0.01)
    # And no place is kept for them.
    places.give_back(1)
    assert not places.running()


def ask(client: Client, name: str, record: FileRecord) -> Any:
    """Begin a transfer, by each of its doors."""
    told = {**TUS, "Upload-Length": "1", "Accept": "text/plain"}
    doors: dict[str, Callable[[], Any]] = {
        "download": lambda: client.get(f"/files/{record.pk}/download/", headers=TEXT),
        "archive": lambda: client.post("/files/download/", {"file": str(record.pk)}, headers=TEXT),
        "form": lambda: client.post("/files/upload/", {"custody": "managed"}, headers=TEXT),
        "tus": lambda: client.post("/uploads/", headers=told),
        "patch": lambda: client.patch(f"/uploads/{record.pk}", headers=told),
    }
    return doors[name]()


TEXT = {"Accept": "text/plain"}
DOORS = ["download", "archive", "form", "tus", "patch"]


@pytest.mark.parametrize("door", DOORS)
def test_too_many_of_ones_own_are_refused_in_words(
    member: Client, alice: User, record: FileRecord, settings: Settings, door: str
) -> None:
    settings.TRANSFERS_PER_PERSON = 3
    for _ in range(3):
        PLACES.take(alice.pk)
    try:
        for _ in range(2):
            response = ask(member, door, record)
            assert (response.status_code, response["Retry-After"]) == (429, "5")
            assert "3 of your uploads and downloads are running" in response.text
            assert "Wait until one of them has ended" in response.text
        assert member.get("/files/").status_code == 200
    finally:
        for _ in range(3):
            PLACES.give_back(alice.pk)
    assert ask(member, door, record).status_code != 429
    # Once is enough.
    [event] = AuditEvent.objects.filter(event="locked_out")
    assert (event.data["action"], event.data["user_id"]) == ("transfers", alice.pk)


@pytest.mark.parametrize("door", DOORS)
def test_when_all_are_taken_pages_go_on(
    member: Client, bob: User, record: FileRecord, settings: Settings, door: str
) -> None:
    settings.TRANSFERS_AT_ONCE = 1
    PLACES.take(bob.pk)
    try:
        response = ask(member, door, record)
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert "1 uploads and downloads are running" in response.text
        assert member.get("/files/").status_code == 200
        assert member.get("/healthz").status_code == 200
    finally:
        PLACES.give_back(bob.pk)
    assert ask(member, door, record).status_code != 503


@pytest.mark.parametrize("door", DOORS)
def test_a_transfer_holds_its_place_to_its_end_and_no_longer(
    member: Client, alice: User, record: FileRecord, door: str
) -> None:
    response = ask(member, door, record)
    if response.streaming:
        assert PLACES.running(alice.pk) == 1
        b"".join(response.streaming_content)
    response.close()
    assert not PLACES.running()


def test_who_may_not_have_it_takes_no_place(
    client: Client, mallory: User, record: FileRecord
) -> None:
    assert client.get(f"/files/{record.pk}/download/").status_code == 302
    client.force_login(mallory)
    response = client.get(f"/files/{record.pk}/download/")
    assert response.status_code == 404
    response.close()
    assert not PLACES.running()


def test_another_person_has_places_of_their_own(
    client: Client, alice: User, bob: User, record: FileRecord, settings: Settings
) -> None:
    give(record, bob)
    settings.TRANSFERS_PER_PERSON = 1
    client.force_login(bob)
    PLACES.take(alice.pk)
    try:
        assert client.get(f"/files/{record.pk}/download/").status_code == 200
    finally:
        PLACES.give_back(alice.pk)


def test_a_view_that_fails_gives_its_place_back(
    member: Client, record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("files.web.transfers.downloads.answer", fail)
    member.raise_request_exception = False
    member.get(f"/files/{record.pk}/download/").close()
    assert not PLACES.running()


def test_every_view_that_is_named_exists() -> None:
    assert set(TRANSFERS) <= set(ROUTES)


def test_who_is_outside_takes_the_places_of_the_door() -> None:
    """None of its maker's, and not all of those that there are."""

    def at(path: str, **kwargs: str) -> HttpRequest:
        request = RequestFactory().get(path)
        request.user = AnonymousUser()
        request.resolver_match = SimpleNamespace(kwargs=kwargs)  # type: ignore[assignment]
        return request

    one, other = (whose(at("/l/x/", token=text)) for text in ("a", "b"))
    assert one is not None
    assert other is not None
    assert one != other
    assert max(one, other) < 0
    assert whose(at("/l/x/", token="a")) == one
    assert whose(at("/files/", token="a")) is None
    assert whose(at("/l/x/")) is None


def test_all_that_is_outside_leaves_half_of_the_places(settings: Any) -> None:
    settings.TRANSFERS_AT_ONCE, settings.TRANSFERS_PER_PERSON = 6, 2
    places = Places()
    for door in (-1, -1, -2):
        places.take(door)
    for door in (-2, -3):
        with pytest.raises(NoPlace) as refused:
            places.take(door)
        assert not refused.value.is_own
    for person in (1, 1, 2):
        places.take(person)
    places.give_back(-1)
    places.take(-3)


STREAMING = {
    "audit/exports.py": {"admin:audit_auditevent_export", "admin:audit_auditevent_changelist"},
    "files/web/read_by.py": {"files:read_by", "folders:read_by"},
    "files/web/transfers/archive.py": {"files:download_several", "folders:zip", "links:zip"},
    "files/web/transfers/downloads.py": {"files:download", "links:download", "api:file_content"},
}
"""Who makes an answer piece by piece, and at which doors."""


def test_whatever_is_sent_piece_by_piece_takes_a_place() -> None:
    root = Path(__file__).parents[2]
    packages = ("accounts", "audit", "files", "notices", "securestore")
    sources = {path for package in packages for path in (root / package).rglob("*.py")}
    making = {path for path in sources if "StreamingHttpResponse(" in path.read_text()}
    assert {str(path.relative_to(root)) for path in making} == set(STREAMING)
    assert not set().union(*STREAMING.values()) - set(TRANSFERS)
