"""Second factors, through the pages: set up, asked for, used, taken away; and what is recorded."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    SECRET_SESSION_KEY,
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import User
from audit import Event, chain
from audit.models import AuditEvent
from files.keys import second_factors
from tests.mails import delivered


def code_of(seed: str, period: int = 0) -> str:
    return str(format_hotp_value(hotp_value(seed, int(time.time()) // 30 + period)))


def events(name: Event) -> list[dict[str, Any]]:
    return [event.data for event in AuditEvent.objects.filter(event=name).order_by("id")]


@pytest.fixture
def seed(alice: User) -> str:
    """The seed of Alice's authenticator app."""
    made = str(generate_totp_secret())
    TOTP.activate(alice, made)
    return made


class Clock:
    """The time of codes and of the cache that remembers them."""

    def __init__(self) -> None:
        self.now = time.time() // 30 * 30 + 15

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", made.time)
    return made


@pytest.fixture
def half_way(client: Client, alice: User, seed: str, password: str) -> Client:
    """Alice's password was right; the code is still to come."""
    client.post(reverse("account_login"), {"login": "alice", "password": password})
    return client


# --- Set-up ------------------------------------------------------------------------------------


def test_an_app_is_set_up_and_its_seed_is_nowhere_in_the_clear(
    client: Client,
    alice: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.force_login(alice)
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    found = re.search(r'id="authenticator_secret">([A-Z2-7]+)<', page)
    assert found is not None
    seed = found[1]
    assert "data:image/svg+xml;base64," in page
    assert second_factors.decrypt(client.session[SECRET_SESSION_KEY]) == seed
    assert seed not in str(dict(client.session))
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(reverse("mfa_activate_totp"), {"code": code_of(seed)})
    assert answer["Location"] == reverse("mfa_view_recovery_codes")
    assert SECRET_SESSION_KEY not in client.session
    kinds = {event["factor"]: event["change"] for event in events(Event.MFA_CHANGED)}
    assert kinds == {"totp": "added", "recovery_codes": "added"}
    codes = client.get(answer["Location"])
    assert len(re.findall(r"<code>\d{8}</code>", codes.content.decode())) == 10
    assert codes["Cache-Control"] == "private, no-store"
    assert seed not in str(list(AuditEvent.objects.values()))
    assert "authenticator app was set up" in delivered()[-1].body


def test_the_code_of_the_set_up_lets_nobody_in(client: Client, alice: User, password: str) -> None:
    client.force_login(alice)
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    found = re.search(r'id="authenticator_secret">([A-Z2-7]+)<', page)
    assert found is not None
    code = code_of(found[1])
    assert client.post(reverse("mfa_activate_totp"), {"code": code}).status_code == 302
    onlooker = Client()
    onlooker.post(reverse("account_login"), {"login": "alice", "password": password})
    answer = onlooker.post(reverse("mfa_authenticate"), {"code": code})
    assert b"Incorrect code" in answer.content
    assert "_auth_user_id" not in onlooker.session


@pytest.mark.parametrize("kind", ["totp", "webauthn", "recovery_codes"])
def test_a_factor_that_cannot_be_recorded_is_not_added(
    alice: User, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **details: object) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(chain, "record", refuse)
    add: Callable[[], Any] = {
        "totp": lambda: TOTP.activate(alice, generate_totp_secret()),
        "webauthn": lambda: WebAuthn.add(alice, "Passkey", {}),
        "recovery_codes": lambda: RecoveryCodes.activate(alice),
    }[kind]
    with pytest.raises(RuntimeError, match="full"):
        add()
    assert not Authenticator.objects.exists()


def test_a_wrong_code_sets_nothing_up(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.get(reverse("mfa_activate_totp"))
    before = client.session[SECRET_SESSION_KEY]
    answer = client.post(reverse("mfa_activate_totp"), {"code": "000000"})
    assert b"Incorrect code" in answer.content
    assert client.session[SECRET_SESSION_KEY] == before
    assert not Authenticator.objects.exists()


def test_set_up_goes_on_when_the_key_of_the_waiting_seed_is_gone(
    client: Client, alice: User
) -> None:
    client.force_login(alice)
    session = client.session
    session[SECRET_SESSION_KEY] = "k1:0123456789abcdef:AAAA"
    session.save()
    assert client.post(reverse("mfa_activate_totp"), {"code": "000000"}).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["mfa_activate_totp", "mfa_add_webauthn", "mfa_generate_recovery_codes"],
)
def test_changes_are_confirmed(client: Client, alice: User, settings: Settings, name: str) -> None:
    client.force_login(alice)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    for answer in (client.get(reverse(name)), client.post(reverse(name), {"code": "123456"})):
        assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert "123456" not in str(dict(client.session))


# --- Sign-in -----------------------------------------------------------------------------------


def test_the_password_alone_does_not_let_in(half_way: Client) -> None:
    assert "_auth_user_id" not in half_way.session
    assert half_way.get("/files/")["Location"].startswith("/accounts/login/")
    assert half_way.get(reverse("mfa_authenticate")).status_code == 200


def test_the_code_lets_in_and_only_once(half_way: Client, seed: str, password: str) -> None:
    code = code_of(seed)
    assert half_way.post(reverse("mfa_authenticate"), {"code": code})["Location"] == "/files/"
    assert half_way.get("/files/").status_code == 200
    second = Client()
    second.post(reverse("account_login"), {"login": "alice", "password": password})
    assert b"Incorrect code" in second.post(reverse("mfa_authenticate"), {"code": code}).content


@pytest.mark.parametrize(
    ("late", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_off_by_one_step_either_way(
    half_way: Client, seed: str, late: int, right: bool, clock: Clock
) -> None:
    answer = half_way.post(reverse("mfa_authenticate"), {"code": code_of(seed, late)})
    assert answer.status_code == (302 if right else 200)


@pytest.mark.parametrize("early", [-1, 0, 1])
@pytest.mark.parametrize("later", range(5))
def test_a_code_that_was_accepted_is_refused_for_as_long_as_it_could_be_valid(
    half_way: Client, seed: str, password: str, clock: Clock, early: int, later: int
) -> None:
    code = code_of(seed, early)
    assert half_way.post(reverse("mfa_authenticate"), {"code": code}).status_code == 302
    clock.now += 30 * later
    second = Client()
    second.post(reverse("account_login"), {"login": "alice", "password": password})
    for written in (code, f"{code[:3]} {code[3:]}"):
        answer = second.post(reverse("mfa_authenticate"), {"code": written})
        assert b"Incorrect code" in answer.content


def test_a_recovery_code_lets_in_once_and_is_recorded(
    half_way: Client, alice: User, password: str
) -> None:
    code = RecoveryCodes.activate(alice).generate_codes()[3]
    assert half_way.post(reverse("mfa_authenticate"), {"code": code})["Location"] == "/files/"
    assert events(Event.MFA_CHANGED)[-1]["change"] == "used"
    second = Client()
    second.post(reverse("account_login"), {"login": "alice", "password": password})
    assert b"Incorrect code" in second.post(reverse("mfa_authenticate"), {"code": code}).content
    assert code not in str(list(AuditEvent.objects.values()))


def test_wrong_codes_are_recorded_counted_and_end_in_a_wait(
    half_way: Client, alice: User, seed: str
) -> None:
    page = reverse("mfa_authenticate")
    for _ in range(5):
        assert half_way.post(page, {"code": "000000"}).status_code == 200
    assert events(Event.SIGN_IN_FAILED)[-1] == {
        "user_id": alice.pk,
        "username": "alice",
        "factor": "totp",
    }
    for _ in range(2):
        answer = half_way.post(page, {"code": code_of(seed)})
        assert answer.status_code == 429
        assert 290 < int(answer["Retry-After"]) <= 300
        assert b"Try again in 5 minutes" in answer.content
    assert len(events(Event.LOCKED_OUT)) == 1


def test_a_missing_master_key_is_an_outage_and_no_wrong_code(
    half_way: Client, seed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from files.crypto.fernetkey import generate_master_key
    from files.keys import master_keys

    monkeypatch.setenv("MASTER_KEYS", generate_master_key())
    monkeypatch.setattr(master_keys, "_watched", master_keys.WatchedKeyring())
    answer = half_way.post(reverse("mfa_authenticate"), {"code": code_of(seed)})
    assert answer.status_code == 503


# --- Changes -----------------------------------------------------------------------------------


def test_the_app_is_switched_off(client: Client, alice: User, seed: str) -> None:
    client.force_login(alice)
    assert client.get(reverse("mfa_deactivate_totp")).status_code == 200
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.exists()
    assert events(Event.MFA_CHANGED)[-1] == {
        "user_id": alice.pk,
        "factor": "totp",
        "change": "removed",
    }


def test_recovery_codes_are_made_anew(
    client: Client,
    alice: User,
    seed: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.force_login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("mfa_generate_recovery_codes"))
    first = client.get(reverse("mfa_download_recovery_codes"))
    assert first["Content-Disposition"].startswith("attachment")
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("mfa_generate_recovery_codes"))
    assert client.get(reverse("mfa_download_recovery_codes")).content != first.content
    assert events(Event.MFA_CHANGED)[-1]["change"] == "regenerated"


# --- Passkeys ----------------------------------------------------------------------------------

NONSENSE: list[Any] = [
    "",
    "x",
    "[]",
    "[" * 100_000,
    "{}",
    "null",
    json.dumps({"response": []}),
    json.dumps({"id": 1, "rawId": 1, "type": "public-key", "response": {"clientDataJSON": "x"}}),
    json.dumps(
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {
                "clientDataJSON": "e30",
                "attestationObject": "AA",
                "authenticatorData": "AA",
                "signature": "AA",
                "userHandle": "AA",
            },
        }
    ),
]


@pytest.mark.parametrize("credential", NONSENSE)
def test_nonsense_is_no_passkey(half_way: Client, alice: User, bob: User, credential: str) -> None:
    answer = half_way.post(reverse("mfa_authenticate"), {"credential": credential})
    assert answer.status_code == 200
    stranger = Client()
    answer = stranger.post(reverse("mfa_login_webauthn"), {"credential": credential})
    assert answer["Location"] == reverse("account_login")
    assert "_auth_user_id" not in stranger.session
    member = Client()
    member.force_login(bob)
    member.get(reverse("mfa_add_webauthn"))
    answer = member.post(reverse("mfa_add_webauthn"), {"credential": credential, "name": "x"})
    assert answer.status_code == 200
    assert not Authenticator.objects.filter(type="webauthn").exists()


def test_the_options_of_a_sign_in_are_for_nobody_in_particular(client: Client, db: None) -> None:
    answer = client.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"})
    options = answer.json()["request_options"]["publicKey"]
    assert not options.get("allowCredentials")
    assert options["userVerification"] == "required"
