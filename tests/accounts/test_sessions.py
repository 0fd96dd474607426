"""Sessions: seen, listed, revoked; over when idle or old; and cheap to follow."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import sessions
from accounts.models import User
from accounts.session_store import row_key
from audit import Event
from audit.models import AuditEvent

FIREFOX = {"User-Agent": "Firefox"}


def sign_in(user: User, password: str, address: str = "192.0.2.7") -> Client:
    client = Client(headers=FIREFOX, REMOTE_ADDR=address)
    client.post(reverse("account_login"), {"login": user.username, "password": password})
    return client


def key_of(client: Client) -> str:
    return row_key(str(client.session.session_key))


def row_of(client: Client) -> UserSession:
    found: UserSession = UserSession.objects.get(session_key=key_of(client))
    return found


def seen_before(client: Client, **ago: float) -> None:
    row = UserSession.objects.filter(session_key=key_of(client))
    row.update(last_seen_at=timezone.now() - timedelta(**ago))


def is_in(client: Client) -> bool:
    return client.get(reverse("files:list")).status_code == 200


@pytest.fixture
def here(alice: User, password: str) -> Client:
    return sign_in(alice, password)


@pytest.fixture
def there(alice: User, password: str) -> Client:
    return sign_in(alice, password, "198.51.100.1")


# --- Seen --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("real_sign_in")
def test_a_sign_in_by_any_door_is_noted(client: Client, alice: User, here: Client) -> None:
    client.force_login(alice)
    assert {row.ip for row in sessions.of(alice)} == {"0.0.0.0", "192.0.2.7"}
    assert row_of(here).user_agent == "Firefox"


def test_the_address_is_the_clients_behind_the_proxy(here: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [ip_network("192.0.2.0/24")]
    seen_before(here, minutes=2)
    here.get("/files/", headers={"X-Forwarded-For": "203.0.113.5"})
    assert row_of(here).ip == "203.0.113.5"


def test_a_session_is_written_at_most_once_a_minute(
    here: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    before = row_of(here).last_seen_at
    is_in(here)
    assert row_of(here).last_seen_at == before
    seen_before(here, seconds=61)
    is_in(here)
    assert row_of(here).last_seen_at > before


def test_a_session_from_before_this_was_noted_goes_on(here: Client) -> None:
    UserSession.objects.all().delete()
    assert is_in(here)
    assert row_of(here)


def test_signing_out_forgets_it(here: Client) -> None:
    here.post(reverse("account_logout"))
    assert not UserSession.objects.exists()


# --- Over --------------------------------------------------------------------------------------


def test_an_idle_session_is_over(here: Client, settings: Settings) -> None:
    settings.SESSION_IDLE_TIMEOUT = 3600
    seen_before(here, minutes=59)
    assert is_in(here)
    seen_before(here, minutes=61)
    key = key_of(here)
    answer = here.get(reverse("files:list"), follow=True)
    assert "had not used the site for a while" in answer.content.decode()
    assert not Session.objects.filter(session_key=key).exists()
    event = AuditEvent.objects.get(event=Event.SIGNED_OUT)
    assert (event.actor_name, event.data) == ("alice", {"reason": "idle"})


def test_a_session_in_use_is_over_when_it_is_old(here: Client, settings: Settings) -> None:
    UserSession.objects.update(
        created_at=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE + 1)
    )
    assert not is_in(here)


def test_programs_learn_that_it_is_over(here: Client) -> None:
    seen_before(here, days=1)
    assert here.post("/uploads/", headers={"Tus-Resumable": "1.0.0"}).status_code == 401


# --- Listed and revoked ------------------------------------------------------------------------


def test_ones_own_sessions_are_listed_and_nobody_elses(
    here: Client, there: Client, bob: User, password: str
) -> None:
    sign_in(bob, password, "203.0.113.77")
    page = here.get(reverse("usersessions_list")).content.decode()
    assert "192.0.2.7" in page
    assert "198.51.100.1" in page
    assert "Firefox" in page
    assert "203.0.113.77" not in page
    assert str(here.session.session_key) not in page


def test_one_session_is_ended(here: Client, there: Client, alice: User) -> None:
    key = str(there.session.session_key)
    here.post(reverse("usersessions_list"), {"end": row_of(there).pk})
    assert not is_in(there)
    assert is_in(here)
    event = AuditEvent.objects.get(event=Event.SESSION_REVOKED)
    assert event.data["session_address"] == "198.51.100.1"
    assert key not in str(event.data)


def test_all_others_are_ended(here: Client, there: Client, alice: User, password: str) -> None:
    third = sign_in(alice, password)
    here.post(reverse("usersessions_list"), {"end": "others"})
    assert (is_in(here), is_in(there), is_in(third)) == (True, False, False)


@pytest.mark.parametrize("number", ["theirs", "999999", "x", "-1", ""])
def test_what_is_not_ones_own_is_not_found(
    here: Client, bob: User, password: str, number: str
) -> None:
    theirs = sign_in(bob, password)
    chosen = str(row_of(theirs).pk) if number == "theirs" else number
    assert here.post(reverse("usersessions_list"), {"end": chosen}).status_code == 404
    assert is_in(theirs)


def test_strangers_and_other_methods_are_refused(here: Client, client: Client) -> None:
    assert client.get(reverse("usersessions_list"))["Location"].startswith("/accounts/login/")
    assert here.put(reverse("usersessions_list")).status_code == 405


def test_the_number_of_queries_does_not_depend_on_the_number_of_sessions(
    here: Client, alice: User, password: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for others in (0, 5):
        for _ in range(others):
            sign_in(alice, password)
        with django_assert_num_queries(9):
            here.get(reverse("usersessions_list"))


# --- Passwords ---------------------------------------------------------------------------------


def test_a_changed_password_ends_the_others(here: Client, there: Client, password: str) -> None:
    form = {"oldpassword": password, **dict.fromkeys(("password1", "password2"), "x" * 9 + "Yz!")}
    assert here.post(reverse("account_change_password"), form).status_code == 302
    assert is_in(here)
    assert not is_in(there)
    assert UserSession.objects.count() == 1


def test_a_password_set_by_an_administrator_ends_all(here: Client, alice: User) -> None:
    alice.set_password("another long password")
    alice.save()
    assert not is_in(here)
    assert sessions.of(alice) == []
