"""allauth keeps to this site's rules."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from allauth.account.adapter import get_adapter
from django.core import mail
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from audit import Event
from audit.models import AuditEvent

NEWCOMER = {
    "email": "eve@example.org",
    "username": "eve",
    "password1": "correct horse battery staple",
    "password2": "correct horse battery staple",
}


def test_sign_up_is_closed(client: Client, db: None) -> None:
    page = client.get(reverse("account_signup"))
    assert "administrator" in page.content.decode()
    client.post(reverse("account_signup"), NEWCOMER)
    assert not User.objects.exists()


def test_sign_up_may_be_opened(client: Client, db: None, settings: Settings) -> None:
    settings.ACCOUNT_OPEN_SIGNUP = True
    client.post(reverse("account_signup"), NEWCOMER)
    assert User.objects.get().email == "eve@example.org"


def test_rate_limits_count_the_address_behind_the_proxy(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    request = RequestFactory().get(
        "/", headers={"X-Forwarded-For": "198.51.100.9"}, REMOTE_ADDR="10.0.0.1"
    )
    assert get_adapter().get_client_ip(request) == "198.51.100.9"


def test_a_lock_out_is_recorded_and_stops_the_right_password_too(
    client: Client, alice: User, password: str
) -> None:
    for guess in range(6):
        client.post(reverse("account_login"), {"login": "alice", "password": f"guess {guess}"})
    client.post(reverse("account_login"), {"login": "alice", "password": password})
    event = AuditEvent.objects.latest("id")
    assert event.event == Event.LOCKED_OUT
    assert event.data == {"user_id": alice.pk, "username": "alice"}
    assert not AuditEvent.objects.filter(event=Event.SIGNED_IN).exists()


@pytest.mark.parametrize("address", ["alice@example.org", "nobody@example.org"])
def test_a_reset_does_not_tell_who_has_an_account(
    client: Client, alice: User, address: str
) -> None:
    response = client.post(reverse("account_reset_password"), {"email": address})
    assert (response.status_code, response["Location"]) == (
        302,
        reverse("account_reset_password_done"),
    )
    assert [message.to for message in mail.outbox] == [[address]]
