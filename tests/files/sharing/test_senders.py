"""Senders: who is let in, how many, and a receipt of what they sent and of nothing else."""

from __future__ import annotations

import hashlib

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.outside import REQUEST, Door
from audit.models import AuditEvent
from files.errors import RequestFull, RequestOver
from files.models import FileRecord, FileRequest, Sender
from files.sharing import requests, senders
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.asked import ask, sender_of
from tests.mails import delivered


@pytest.mark.parametrize("there", [1, 2])
def test_no_more_come_than_its_maker_lets(alice: User, there: int) -> None:
    """Nor where there are more already than fit."""
    request, _token = ask(alice, most_senders=there)
    for number in range(there):
        senders.admit(request, name=f"Ann {number}")
    FileRequest.objects.update(most_senders=1)
    with pytest.raises(RequestFull):
        senders.admit(request, name="Eve")
    assert Sender.objects.count() == there


@pytest.mark.parametrize("there", [1, 2])
def test_no_more_come_than_any_request_has(
    alice: User, there: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, _token = ask(alice)
    for number in range(there):
        senders.admit(request, name=f"Ann {number}")
    monkeypatch.setattr(senders, "MOST_SENDERS", 1)
    with pytest.raises(RequestFull):
        senders.admit(request, name="Eve")


def test_who_came_by_a_code_is_known_again_where_nobody_else_may_come(alice: User) -> None:
    request, _token = ask(alice, most_senders=1)
    first = senders.admit(request, name="Ann", email="Ann@example.org")
    assert senders.admit(request, name="Other", email="ann@example.ORG") == first
    with pytest.raises(RequestFull):
        senders.admit(request, name="Bob", email="bob@example.org")
    requests.end(request, actor=alice)
    with pytest.raises(RequestOver):
        senders.admit(request, name="Ann", email="ann@example.org")


def test_a_code_goes_to_those_named_alone(alice: User, settings: Settings) -> None:
    settings.REQUEST_MAIL_DOMAINS = ["firm.example"]
    request, _token = ask(alice, addresses=["ann@example.org", "@firm.example"])
    door = Door(REQUEST, request.pk, request.token_digest)
    for address in ("eve@example.org", "Ann@example.org", "bob@firm.example"):
        senders.send_code(request, door, address, language="de")
    sent = delivered()
    assert [one.to for one in sent] == [["Ann@example.org"], ["bob@firm.example"]]
    assert all(" 10 Minuten" in str(one.body) for one in sent)


def test_wrong_codes_are_counted_and_audited(alice: User) -> None:
    request, _token = ask(alice)
    for number in (1, 2):
        senders.note_wrong_code(request, "eve@example.org")
        request.refresh_from_db()
        assert request.wrong_codes == number
        assert request.wrong_at is not None
    told = AuditEvent.objects.filter(event="sender_refused").values_list("data", flat=True)
    assert list(told) == [{"file_request_id": request.pk, "email": "eve@example.org"}] * 2


def test_who_came_is_listed_with_how_many_files_each_has_sent(alice: User, s3: object) -> None:
    request, _token = ask(alice)
    first, second = sender_of(request), sender_of(request, "Bob")
    maker = request.maker
    assert maker is not None
    for number in range(2):
        destination = Destination.through(second)
        storing.store(maker, [b"x"], name=f"{number}", destination=destination)
    assert [(one.pk, one.files_n) for one in senders.senders_of(request)] == [  # type: ignore[attr-defined]
        (second.pk, 2),
        (first.pk, 0),
    ]


def test_a_receipt_has_the_digests_of_exactly_what_was_sent(alice: User, s3: object) -> None:
    """Of another version, whose bytes are somebody else's, none; nor of what is gone."""
    request, _token = ask(alice)
    sender = sender_of(request)
    maker = request.maker
    assert maker is not None

    def send(content: bytes, name: str) -> FileRecord:
        return storing.store(maker, [content], name=name, destination=Destination.through(sender))

    _kept, replaced, gone = send(b"kept", "a"), send(b"replaced", "b"), send(b"gone", "c")
    senders.mark_browser(sender, "browser")
    send(b"by another browser", "d")
    FileRecord.objects.filter(pk=replaced.pk).update(uploaded_at=timezone.now())
    FileRecord.objects.filter(pk=gone.pk).delete()
    told = senders.receipt(sender, "browser")
    assert [(one.name, one.size, one.sha256) for one in told] == [
        ("a", 4, hashlib.sha256(b"kept").hexdigest()),
        ("b", 8, ""),
        ("c", 4, ""),
    ]
