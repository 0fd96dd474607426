"""Signing in and out leaves its trace, and says nothing that was typed in error."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit import Event, chain
from audit.models import AuditEvent


def sign_in(client: Client, name: str, password: str) -> None:
    client.post(
        reverse("account_login"),
        {"login": name, "password": password},
        headers={"User-Agent": "Firefox"},
        REMOTE_ADDR="192.0.2.7",
    )


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("id")


def test_signing_in(client: Client, root: User, password: str) -> None:
    sign_in(client, "root", password)
    event = last_event()
    assert (event.event, event.actor_id, event.actor_name) == (Event.SIGNED_IN, root.pk, "root")
    assert (event.address, event.user_agent) == ("192.0.2.7", "Firefox")


def test_signing_in_by_address(client: Client, alice: User, password: str) -> None:
    sign_in(client, "Alice@Example.org", password)
    assert (last_event().event, last_event().actor_id) == (Event.SIGNED_IN, alice.pk)


def test_a_wrong_password(client: Client, alice: User) -> None:
    sign_in(client, "alice", "not her password")
    event = last_event()
    assert (event.event, event.actor_id) == (Event.SIGN_IN_FAILED, None)
    assert event.data == {"user_id": alice.pk, "username": "alice", "active": True}
    assert event.address == "192.0.2.7"


def test_an_account_that_may_not_sign_in(client: Client, alice: User, password: str) -> None:
    alice.is_active = False
    alice.save()
    sign_in(client, "alice", password)
    assert not AuditEvent.objects.filter(event=Event.SIGNED_IN).exists()


def test_what_is_typed_for_a_name_may_be_a_password(
    client: Client, alice: User, password: str
) -> None:
    sign_in(client, password, "alice")
    assert last_event().event == Event.SIGN_IN_FAILED
    assert password not in str(AuditEvent.objects.values())


@pytest.mark.usefixtures("real_sign_in")
def test_signing_out(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.post(reverse("account_logout"))
    assert (last_event().event, last_event().actor_id) == (Event.SIGNED_OUT, alice.pk)
    assert chain.verify().number == 2


def test_signing_out_of_nothing_is_no_event(client: Client, db: None) -> None:
    client.post(reverse("account_logout"))
    assert not AuditEvent.objects.exists()
