"""allauth's pages keep to the site's Content-Security-Policy: no script or style of their own."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.limits import in_words
from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from tests.accounts.credentials import CREDENTIAL
from tests.mails import delivered

ANONYMOUS = ["account_login", "account_signup", "account_reset_password"]
ANONYMOUS += ["account_reset_password_done", "account_inactive"]
ANONYMOUS += ["account_email_verification_sent", "account_reset_password_from_key_done"]
SIGNED_IN = ["account_logout", "account_change_password", "account_email", "account_reauthenticate"]
SIGNED_IN += ["mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "mfa_list_webauthn"]
SIGNED_IN += ["usersessions_list"]
WITH_FACTORS = ["mfa_index", "mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_reauthenticate"]
WITH_FACTORS += ["mfa_generate_recovery_codes", "mfa_list_webauthn", "mfa_reauthenticate_webauthn"]


class Inline(HTMLParser):
    """Collects whatever the policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(tag)
        for name, value in given.items():
            hosted = name in {"src", "href", "action"} and "//" in (value or "")
            if name == "style" or name.startswith("on") or hosted:
                self.found.append(f"{tag} {name}={value}")


def assert_clean(client: Client, name: str, *arguments: object) -> None:
    assert_page(client.get(reverse(name, args=arguments)))


def assert_page(response: Any) -> None:
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = Inline()
    page.feed(response.content.decode())
    assert page.found == []
    # In the site's own look: allauth's own layout has neither.
    assert "css/site.css" in response.content.decode()
    assert "Menu:" not in response.content.decode()


@pytest.mark.parametrize("name", ANONYMOUS)
def test_pages_for_everybody(client: Client, db: None, name: str) -> None:
    assert_clean(client, name)


@pytest.mark.parametrize("name", SIGNED_IN)
def test_pages_for_people_who_are_signed_in(client: Client, alice: User, name: str) -> None:
    client.force_login(alice)
    assert_clean(client, name)


@pytest.fixture
def factors(client: Client, alice: User) -> Authenticator:
    """Alice is signed in, and has one factor of each kind. Returns the passkey."""
    TOTP.activate(alice, generate_totp_secret())
    RecoveryCodes.activate(alice)
    client.force_login(alice)
    key: Authenticator = Authenticator.objects.create(
        user=alice, type="webauthn", data={"name": "<b>Key</b>", "credential": CREDENTIAL}
    )
    return key


@pytest.mark.parametrize("name", WITH_FACTORS)
def test_pages_for_people_with_a_second_factor(
    client: Client, factors: Authenticator, name: str
) -> None:
    assert_clean(client, name)


@pytest.mark.parametrize("name", ["mfa_edit_webauthn", "mfa_remove_webauthn"])
def test_pages_of_a_passkey(client: Client, factors: Authenticator, bob: User, name: str) -> None:
    assert_clean(client, name, factors.pk)
    client.force_login(bob)
    assert client.get(reverse(name, args=[factors.pk])).status_code == 404


def test_the_page_between_password_and_code(
    client: Client, factors: Authenticator, password: str
) -> None:
    client.post(reverse("account_logout"))
    client.post(reverse("account_login"), {"login": "alice", "password": password})
    assert_clean(client, "mfa_authenticate")


def test_pages_of_links_in_mails(client: Client, alice: User, settings: Settings) -> None:
    for url in ("/accounts/password/reset/key/1-set-password/", "/accounts/confirm-email/x:y/"):
        response = client.get(url)
        assert_page(response)
        assert b"This link does not work" in response.content
    client.post(reverse("account_reset_password"), {"email": alice.email})
    link = next(word for word in delivered()[0].body.split() if "/reset/key/" in word)
    moved = client.get(link)
    # The link's secret stands in no page's address, so in no Referer.
    assert moved["Location"].endswith("-set-password/")
    assert_page(client.get(moved["Location"]))


def test_open_sign_up_has_a_page(client: Client, db: None, settings: Settings) -> None:
    settings.ACCOUNT_OPEN_SIGNUP = True
    assert_clean(client, "account_signup")


def test_people_without_a_password_may_set_one(client: Client, alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    client.force_login(alice)
    assert_clean(client, "account_set_password")


@pytest.mark.parametrize("lately", [True, False])
def test_without_a_password_no_page_leads_back_to_itself(
    client: Client, alice: User, lately: bool
) -> None:
    """Also in a session in which nothing was confirmed, and nothing could be."""
    alice.set_unusable_password()
    alice.save()
    client.force_login(alice)
    if not lately:
        session = client.session
        del session["account_authentication_methods"]
        session.save()
    for page in ("account_set_password", "account_change_password", "account_reauthenticate"):
        ended = client.get(reverse(page), follow=True)  # Django raises where it goes round.
        asks = page == "account_reauthenticate"
        assert ended.status_code == (403 if asks else 200), page


def test_too_many_attempts_have_a_page(client: Client, db: None) -> None:
    for number in range(21):
        address = f"nobody{number}@example.org"
        response = client.post(reverse("account_reset_password"), {"email": address})
    assert response.status_code == 429
    wait = int(response["Retry-After"])
    assert 30 < wait <= 60  # A busy machine takes some of the minute for all of these.
    assert f"Try again in {in_words(wait)}" in response.content.decode()
    event = AuditEvent.objects.get(event=Event.LOCKED_OUT)
    assert event.data == {"action": "reset_password"}


def test_the_way_back_is_kept_and_stays_on_this_site(
    client: Client, alice: User, password: str
) -> None:
    form = {"login": "alice", "password": password}
    for wanted, given in (("/admin/", "/admin/"), ("https://evil.example/", reverse("files:list"))):
        answer = client.post(reverse("account_login", query={"next": wanted}), form)
        assert answer["Location"] == given
        client.post(reverse("account_logout"))


def test_signing_out_takes_a_post(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.get(reverse("account_logout"))
    assert "_auth_user_id" in client.session
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session


def test_browsers_know_what_belongs_into_the_fields_of_a_sign_in(client: Client, db: None) -> None:
    page = client.get(reverse("account_login")).content.decode()
    assert re.search(r'name="login"[^>]* autocomplete="username webauthn"', page)
    assert re.search(r'name="password"[^>]* autocomplete="current-password"', page)
