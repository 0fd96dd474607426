"""One hash for every attempt, whatever was typed and whoever it means: time tells nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from accounts.backends import account_tried
from accounts.models import User
from tests.mails import delivered

SECOND = "second@example.org"


class CountingHasher(MD5PasswordHasher):
    """Verifying encodes, too: so it counts each hash once."""

    algorithm = "counting"
    hashes = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.hashes += 1
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def _count(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]


Hashes = Callable[[Callable[[], Any]], int]


@pytest.fixture
def hashes() -> Hashes:
    """How many hashes something takes."""

    def count(action: Callable[[], Any]) -> int:
        before = CountingHasher.hashes
        action()
        return CountingHasher.hashes - before

    return count


@pytest.fixture
def people(alice: User, bob: User, mallory: User, root: User, password: str) -> None:
    """Everybody whom a name can mean."""
    EmailAddress.objects.create(user=alice, email=SECOND, verified=True)
    EmailAddress.objects.create(user=mallory, email="bob@example.org", verified=False)
    bob.is_active = False
    bob.save()
    mallory.set_unusable_password()
    mallory.save()
    # A name that is somebody else's address.
    User.objects.create_user("alice@example.org", "eve@example.org", password)


TYPED = {
    "nobody's name": "nobody",
    "nobody's address": "nobody@example.org",
    "a name": "alice",
    "an address, and a name": "alice@example.org",
    "a confirmed second address": SECOND,
    "a deactivated account": "bob",
    "its address, of two accounts": "bob@example.org",
    "an account without a password": "mallory",
    "a superuser": "root",
    "other letters": "ALICE",
    "something long": "x" * 300,
}


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED)
@pytest.mark.parametrize("right", [False, True])
def test_every_attempt_is_one_hash(
    client: Client, password: str, hashes: Hashes, typed: str, right: bool
) -> None:
    guess = {"login": typed, "password": password if right else "wrong"}
    # The admin sends people to the site's own page.
    assert hashes(lambda: client.post(reverse("admin:login"), {**guess, "username": typed})) == 0
    assert hashes(lambda: client.post(reverse("account_login"), guess)) == 1


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("field", ["username", "email"])
@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED)
def test_other_code_that_authenticates_hashes_once_too(
    hashes: Hashes, typed: str, field: str
) -> None:
    assert hashes(lambda: authenticate(None, **{field: typed}, password="wrong")) == 1
    assert hashes(lambda: authenticate(None, username=typed, email=typed, password="wrong")) == 1


@pytest.mark.usefixtures("people")
def test_every_wrong_attempt_asks_the_database_the_same() -> None:
    asked = {}
    for number, (case, typed) in enumerate(TYPED.items()):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}")  # Addresses have limits of their own.
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.post(reverse("account_login"), {"login": typed, "password": "wrong"})
        asked[case] = [query["sql"].split(" ", 3)[:3] for query in queries]
    first = asked.pop("nobody's name")
    assert all(other == first for other in asked.values()), asked


def test_a_confirmation_is_one_hash(
    client: Client, alice: User, password: str, hashes: Hashes
) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    client.force_login(alice)
    page = reverse("account_reauthenticate")
    assert hashes(lambda: client.post(page, {"password": "wrong"})) == 1
    answer = client.post(page, {"password": password})
    assert answer.status_code == 302


@pytest.mark.parametrize("address", ["alice@example.org", "nobody@example.org"])
def test_a_reset_and_a_passkey_hash_nothing(
    client: Client, alice: User, hashes: Hashes, address: str
) -> None:
    assert hashes(lambda: client.post(reverse("account_reset_password"), {"email": address})) == 0
    assert hashes(lambda: client.post(reverse("mfa_login_webauthn"), {"credential": "{}"})) == 0


@pytest.mark.parametrize("address", ["alice@example.org", "nobody@example.org"])
def test_signing_up_is_one_hash_whether_the_address_is_known(
    client: Client, alice: User, hashes: Hashes, address: str, settings: Settings
) -> None:
    settings.ACCOUNT_OPEN_SIGNUP = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    form = {"email": address, "username": "eve", "password1": "correct horse battery"}
    form["password2"] = form["password1"]
    assert hashes(lambda: client.post(reverse("account_signup"), form)) == 1
    assert [message.to for message in delivered()] == [[address]]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("alice", "alice"),
        ("alice@example.org", "alice"),
        ("Alice@Example.ORG", "alice"),
        (SECOND, "alice"),
        ("eve@example.org", "alice@example.org"),
        ("bob@example.org", "bob"),
        ("nobody", None),
        ("", None),
    ],
)
def test_a_name_means_one_account(typed: str, means: str | None) -> None:
    for field in ("username", "email"):
        found = account_tried({field: typed})
        assert (found and found.username) == means
