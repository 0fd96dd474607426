"""Requests: made by who manages a folder and may ask, within their own access and the bounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.access.principals import Person
from files.models import FileRequest, Folder, Grant
from files.sharing import requests
from files.sharing.requests import Terms
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.asked import ask, folder_of, may_ask, sender_of

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

Events = Callable[[str], list[dict[str, Any]]]


def problems(folder: Folder, actor: User, **terms: Any) -> list[str]:
    """What is in the way, in words; nothing, where the request was made."""
    try:
        requests.make(folder, Terms(**{"title": "Papers", **terms}), by=Person(actor), actor=actor)
    except ValidationError as error:
        return [str(one) for one in error.messages]
    return []


def test_a_request_is_made_and_ended_with_an_event(alice: User, events: Events) -> None:
    request, token = ask(alice, most_files=5)
    told = {
        **{"file_id": None, "actor": "alice"},
        **{"file_request_id": request.pk, "folder_id": str(request.folder_id)},
    }
    assert events("request_created") == [
        {
            **told,
            "expires_at": request.expires_at.isoformat(),
            "bytes": 1_000_000,
            "files": 5,
            "fingerprint": request.fingerprint,
        }
    ]
    assert token not in str(FileRequest.objects.values())
    assert requests.end(request, actor=alice)
    assert not requests.end(request, actor=alice)
    assert request.ended_by == alice
    assert request.ended_at is not None
    assert events("request_ended") == [{**told, "aborted": 0}]


def test_who_may_not_ask_makes_none_of_what_they_manage(alice: User) -> None:
    assert problems(folder_of(alice), alice) == [
        "You may not ask people outside for files. An administrator can allow it."
    ]


@pytest.mark.parametrize("level", [None, "download", "add"])
def test_who_may_ask_makes_none_for_what_they_do_not_manage(
    alice: User, bob: User, level: str | None
) -> None:
    folder = folder_of(alice)
    if level is not None:
        Grant.objects.create(folder=folder, user=bob, level=level)
    assert problems(folder, may_ask(bob)) == [
        "You can no longer manage this folder. Ask its owner."
    ]


def test_a_request_ends_with_its_makers_own_access_at_the_latest(alice: User, bob: User) -> None:
    folder, bob = folder_of(alice), may_ask(bob)
    until = timezone.now() + DAY
    Grant.objects.create(folder=folder, user=bob, level="manage", expires_at=until)
    request, _token = requests.make(folder, Terms("Papers"), by=Person(bob), actor=bob)
    assert request.expires_at == until
    assert problems(folder, bob, expires_at=until) == []
    assert problems(folder, bob, expires_at=until - DAY / 2) == []
    [said] = problems(folder, bob, expires_at=until + timedelta(microseconds=1))
    assert said.startswith("Your own access ends on ")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (-DAY, "The end is in the past: choose a later one."),
        (timedelta(0), "The end is in the past: choose a later one."),
        (timedelta(microseconds=1), ""),
        (7 * DAY + timedelta(minutes=1), ""),
        (
            7 * DAY + timedelta(minutes=1, microseconds=1),
            "A request lasts 7 days at most: choose an earlier end.",
        ),
    ],
)
def test_the_end_is_later_than_now_and_within_the_bound(
    alice: User, settings: Settings, after: timedelta, said: str
) -> None:
    settings.REQUEST_MAX_DAYS = 7
    folder, alice = folder_of(alice), may_ask(alice)
    with patch("django.utils.timezone.now", return_value=NOW):
        assert problems(folder, alice, expires_at=NOW + after) == ([said] if said else [])


@pytest.mark.parametrize(
    ("most", "fits"), [(-1, False), (0, False), (1, True), (9, True), (10, False)]
)
def test_it_takes_something_and_no_more_than_may_be_asked_for(
    alice: User, settings: Settings, most: int, fits: bool
) -> None:
    settings.REQUEST_MAX_QUOTA = 9
    assert (problems(folder_of(alice), may_ask(alice), most_bytes=most) == []) is fits


def test_a_code_needs_an_address_and_a_name_none(alice: User) -> None:
    folder, alice = folder_of(alice), may_ask(alice)
    assert problems(folder, alice, identify="code") == ["Say whose mail addresses get a code."]
    assert problems(folder, alice, identify="code", addresses=["ann@example.org"]) == []
    assert problems(folder, alice, identify="name") == []


def test_beyond_todays_bounds_are_those_that_are_open_and_go_further(
    alice: User, settings: Settings
) -> None:
    folder = folder_of(alice)
    long, _token = ask(alice, folder, expires_at=timezone.now() + 40 * DAY)
    large, _token = ask(alice, folder, most_bytes=10, expires_at=timezone.now() + 5 * DAY)
    ask(alice, folder, most_bytes=9, expires_at=timezone.now() + 5 * DAY)
    ended, _token = ask(alice, folder, most_bytes=10)
    requests.end(ended, actor=alice)
    assert not requests.beyond_bounds(FileRequest.objects.all()).exists()
    settings.REQUEST_MAX_DAYS, settings.REQUEST_MAX_QUOTA = 7, 9
    FileRequest.objects.filter(pk=long.pk).update(most_bytes=1)
    assert {*requests.beyond_bounds(FileRequest.objects.all())} == {long, large}
    # Whoever chose the last day that there was is not told so for the hours of that day.
    FileRequest.objects.update(created_at=NOW, expires_at=NOW + 8 * DAY, most_bytes=1)
    assert not requests.beyond_bounds(FileRequest.objects.all()).exists()
    FileRequest.objects.update(expires_at=NOW + 8 * DAY + timedelta(microseconds=1))
    assert {*requests.beyond_bounds(FileRequest.objects.all())} >= {long, large}


@pytest.mark.parametrize(("level", "managed"), [("download", 0), ("add", 0), ("manage", 1)])
def test_who_manages_the_folder_manages_its_requests(
    alice: User, bob: User, level: str, managed: int
) -> None:
    request, _token = ask(alice)
    assert list(requests.requests_managed_by(Person(alice))) == [request]
    assert not requests.requests_managed_by(Person(bob)).exists()
    Grant.objects.create(folder=request.folder, user=bob, level=level)
    assert requests.requests_managed_by(Person(bob)).count() == managed


def test_what_came_is_counted_and_what_was_decided_is_in_the_log(
    alice: User, s3: object, events: Events
) -> None:
    request, _token = ask(alice, accept_first=True)
    assert numbers(request) == (0, 0, 0, 0)
    ann, _bob = sender_of(request), sender_of(request, "Bob")
    assert request.maker is not None
    files = [
        storing.store(
            request.maker, [b"x" * size], name=f"{size}", destination=Destination.through(ann)
        )
        for size in (1, 2, 4)
    ]
    assert numbers(request) == (2, 3, 7, 3)
    by: dict[str, Any] = {"by": Person(alice), "actor": alice}
    assert requests.accept(request, [files[0].pk], **by) == 1
    assert requests.decline(request, [files[1].pk], **by) == 1
    assert numbers(request) == (2, 3, 7, 1)
    for event, record in (("upload_accepted", files[0]), ("upload_declined", files[1])):
        assert events(event) == [
            {
                **{"file_id": record.pk, "actor": "alice"},
                **{"file_request_id": request.pk, "sender": "Ann"},
            }
        ]


def numbers(request: FileRequest) -> tuple[int, int, int, int]:
    """Senders, files, bytes, and files that wait."""
    found: Any = requests.with_numbers(FileRequest.objects.filter(pk=request.pk)).get()
    return found.senders_n, found.files_n, found.bytes_n, found.waiting_n


def test_ones_own_are_told_open_ones_first_then_the_newest(alice: User, bob: User) -> None:
    folder = folder_of(alice)
    made = [ask(alice, folder, title=f"{number}")[0] for number in range(4)]
    ask(bob)
    requests.end(made[3], actor=alice)
    FileRequest.objects.filter(pk=made[2].pk).update(expires_at=timezone.now())
    assert list(requests.made_by(alice)) == [made[1], made[0], made[3], made[2]]
