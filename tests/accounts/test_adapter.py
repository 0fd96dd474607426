"""allauth keeps to this site's rules."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network

import pytest
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import adapter
from accounts.backends import PasswordBackend
from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from notices.models import Mail
from notices.sealing import KeyAway
from runtime.slots import Slots, TooBusy
from tests.mails import delivered

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


def test_whoever_signs_up_is_a_member_and_the_log_says_so(
    client: Client, db: None, settings: Settings
) -> None:
    settings.ACCOUNT_OPEN_SIGNUP = True
    client.post(reverse("account_signup"), NEWCOMER)
    eve = User.objects.get(username="eve")
    assert eve.get_all_permissions() == {"files.add_filerecord", "files.download_filerecord"}
    event = AuditEvent.objects.get(event=Event.ACCOUNT_CHANGED)
    assert (event.data["username"], event.data["groups"]) == ("eve", "Members")


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
    assert [message.to for message in delivered()] == [[address]]


def test_a_reset_is_recorded_where_there_is_an_account(client: Client, alice: User) -> None:
    for address in (alice.email, "nobody@example.org"):
        client.post(reverse("account_reset_password"), {"email": address})
    [event] = AuditEvent.objects.filter(event=Event.PASSWORD_RESET_ASKED)
    assert event.data == {"user_id": alice.pk, "username": "alice"}
    token = delivered()[0].body.split("/reset/key/")[1].split("/")[0]
    assert token not in str(AuditEvent.objects.values())


def test_no_mail_server_holds_a_page_up(
    client: Client, alice: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    for address in (alice.email, "nobody@example.org"):
        answer = client.post(reverse("account_reset_password"), {"email": address})
        assert answer.status_code == 302
    client.force_login(alice)
    new = dict.fromkeys(("password1", "password2"), "quite another password")
    answer = client.post(reverse("account_change_password"), {"oldpassword": password, **new})
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert alice.check_password("quite another password")
    assert not delivered()
    monkeypatch.undo()
    Mail.objects.update(due_at=timezone.now())
    assert len(delivered()) == 3


def test_a_link_that_works_no_more_is_not_sent(client: Client, alice: User) -> None:
    client.post(reverse("account_reset_password"), {"email": alice.email})
    [row] = Mail.objects.all()
    lasts = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    assert row.useful_until is not None
    assert abs(row.useful_until - row.made_at - lasts) < timedelta(seconds=5)


def test_keys_that_are_away_are_an_outage_and_stop_no_notification(
    client: Client, alice: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object) -> None:
        raise KeyAway("the key service is away")

    monkeypatch.setattr("files.keys.waiting_mails.Keys.wrap", away)
    answer = client.post(reverse("account_reset_password"), {"email": alice.email})
    assert answer.status_code == 503
    client.force_login(alice)
    new = dict.fromkeys(("password1", "password2"), "quite another password")
    answer = client.post(reverse("account_change_password"), {"oldpassword": password, **new})
    assert answer.status_code == 302


def test_mails_are_short_and_fetch_nothing(client: Client, alice: User, password: str) -> None:
    client.post(reverse("account_reset_password"), {"email": alice.email})
    client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})
    client.force_login(alice)
    new = dict.fromkeys(("password1", "password2"), "quite another password")
    client.post(reverse("account_change_password"), {"oldpassword": password, **new})
    client.post(reverse("account_email"), {"action_add": "", "email": "second@example.org"})
    assert len(delivered()) == 4
    for message in delivered():
        assert message.subject.startswith("[Securestore] ")
        [(html, kind)] = message.alternatives  # type: ignore[attr-defined]
        assert kind == "text/html"
        assert not re.search(r"<(?:img|link|style|script|iframe)|url\(|src=", str(html))
        links = re.findall(r'href="([^"]*)"', str(html))
        assert all(link.startswith("http://testserver/accounts/") for link in links)
        assert "Securestore at testserver" in message.body
        assert len(message.body) < 800
        assert "Thank you" not in message.body
        assert "<" not in message.body


# --- Guesses ----------------------------------------------------------------------------------


def guess(client: Client, login: str, password: str = "wrong") -> tuple[int, str]:
    """What is seen of an attempt, but for what differs between any two pages."""
    answer = client.post(reverse("account_login"), {"login": login, "password": password})
    text = re.sub(r'value="[^"]*"', "", answer.content.decode())
    return answer.status_code, text.replace(answer["X-Request-ID"], "")


def test_guesses_at_one_account_are_five_whatever_name_they_use(
    client: Client, alice: User, password: str
) -> None:
    for login in ("alice", "ALICE", alice.email, "alice", alice.email):
        guess(client, login)
    for login in ("alice", alice.email) * 2:
        assert guess(client, login, password)[0] in {200, 429}
        assert "_auth_user_id" not in client.session
    assert not AuditEvent.objects.filter(event=Event.SIGNED_IN).exists()


def test_a_name_that_was_typed_too_often_is_told_how_long_to_wait(
    client: Client, alice: User, password: str
) -> None:
    for login in ("alice", "ALICE", "alice", "Alice", "alice"):
        guess(client, login)
    for _ in range(2):
        answer = client.post(reverse("account_login"), {"login": "alice", "password": password})
        assert (answer.status_code, "_auth_user_id" in client.session) == (429, False)
        assert 290 < int(answer["Retry-After"]) <= 300
        assert b"Try again in 5 minutes" in answer.content
    assert AuditEvent.objects.filter(event=Event.LOCKED_OUT).count() == 1


@pytest.mark.parametrize("first", ["alice", "alice@example.org"])
def test_a_lock_out_does_not_tell_which_name_and_address_are_one_account(
    client: Client, alice: User, bob: User, password: str, first: str
) -> None:
    """Whatever is tried next, an account that was locked looks like one that was not."""
    others = {
        "alice": ("alice@example.org", "bob@example.org"),
        "alice@example.org": ("alice", "bob"),
    }
    for _ in range(6):
        guess(client, first)
    same_person, stranger = others[first]
    for _ in range(6):
        seen = [
            guess(Client(REMOTE_ADDR=f"192.0.2.{n}"), name)
            for n, name in enumerate((same_person, stranger))
        ]
        assert seen[0] == seen[1]


def test_the_log_has_what_the_page_does_not_say(client: Client, alice: User, password: str) -> None:
    for _ in range(5):
        guess(client, "alice")
    assert guess(client, alice.email, password)[0] == 200
    event = AuditEvent.objects.latest("id")
    assert event.event == Event.SIGN_IN_FAILED
    assert event.data["locked_out"] is True


def test_a_right_password_and_one_that_nobody_looked_at_use_up_no_guess(
    client: Client, alice: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(8):
        assert guess(Client(REMOTE_ADDR="192.0.2.1"), "alice", password)[0] == 302
    with monkeypatch.context() as patch:
        patch.setattr(PasswordBackend, "authenticate", refuse_for_now)
        for _ in range(8):
            assert guess(Client(REMOTE_ADDR="192.0.2.1"), "alice", password)[0] == 503
    assert guess(Client(REMOTE_ADDR="192.0.2.1"), "alice", password)[0] == 302


def refuse_for_now(*_arguments: object, **_credentials: object) -> None:
    raise TooBusy


def test_who_waits_for_others_sign_ins_has_not_tried(
    client: Client, alice: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many who come at once, none has guessed wrong."""
    monkeypatch.setattr(adapter, "ATTEMPTS", Slots(1, patience=0.01, longest=60))
    typed = {"login": "alice", "password": password}
    with adapter.ATTEMPTS.taken():
        for _ in range(12):
            assert client.post("/accounts/login/", typed).status_code == 503
    assert client.post("/accounts/login/", typed).status_code == 302


def test_who_is_signed_in_is_told_that_the_account_is_locked(
    client: Client, alice: User, password: str
) -> None:
    client.force_login(alice)
    for _ in range(5):
        guess(Client(REMOTE_ADDR="192.0.2.1"), "alice")
    answer = client.post(reverse("account_reauthenticate"), {"password": password})
    assert answer.status_code == 429
    assert b"Try again in 5 minutes" in answer.content


def test_a_reset_lets_its_owner_in_again(client: Client, alice: User, password: str) -> None:
    for _ in range(6):
        guess(Client(REMOTE_ADDR="192.0.2.1"), alice.email)
    client.post(reverse("account_reset_password"), {"email": alice.email})
    link = re.search(r"http://testserver(/\S+)", str(delivered()[-1].body))
    assert link is not None
    form = client.get(link[1])["Location"]
    new = "quite another password"
    client.post(form, {"password1": new, "password2": new})
    assert guess(Client(REMOTE_ADDR="192.0.2.2"), alice.email, new)[0] == 302
