"""What committed is told, in the log and by the signal; what did not is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from audit import Event, chain, record
from audit.announcements import recorded

FILE = UUID("6d5fe6b4-9c1f-4a53-8f1d-0f3a7f9d2c11")


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    events: list[Any] = []

    def hear(event: Any, **_kwargs: Any) -> None:
        events.append(event)

    recorded.connect(hear)
    yield events
    recorded.disconnect(hear)


@pytest.mark.django_db
def test_an_event_is_a_line_with_its_anchor(
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with caplog.at_level(logging.INFO, "audit"), django_capture_on_commit_callbacks(execute=True):
        event = record(Event.GRANT_REVOKED, file_id=FILE, grant_id=12, level="manage")
        assert caplog.records == []
    [line] = [one for one in caplog.records if one.name == "audit"]
    assert line.getMessage() == f"1:{event.mac} grant_revoked"
    fields = line.__dict__["fields"]
    assert chain.Anchor(fields["number"], fields["mac"]) == chain.head()
    assert (fields["file"], fields["grant"]) == (str(FILE), 12)
    assert fields["details"] == {"level": "manage"}


@pytest.mark.django_db
def test_receivers_hear_of_it(
    heard: list[Any], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        events = [record(Event.SWEPT), record(Event.SWEPT)]
    assert heard == events


@pytest.mark.django_db(transaction=True)
def test_what_rolls_back_is_not_told(heard: list[Any]) -> None:
    with transaction.atomic():
        record(Event.SWEPT)
        transaction.set_rollback(True)
    assert heard == []
    with transaction.atomic():
        kept = record(Event.SWEPT)
        assert heard == []
    assert heard == [kept]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_fails_nothing() -> None:
    def fail(**_kwargs: Any) -> None:
        raise ZeroDivisionError

    recorded.connect(fail)
    try:
        record(Event.SWEPT)
    finally:
        recorded.disconnect(fail)
    assert chain.verify().number == 1
