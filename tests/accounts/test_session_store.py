"""What is kept of a session opens none, tells nothing, and cannot be made by who writes it."""

from __future__ import annotations

import base64
import json

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from accounts.session_store import SessionStore, row_key

pytestmark = pytest.mark.django_db


def stored(**data: object) -> SessionStore:
    made = SessionStore()
    made.update(data)
    made.save()
    return made


def test_a_session_is_what_it_was_for_who_has_the_cookie() -> None:
    cookie = str(stored(note="ünïcode", deep={"list": [1, None]}).session_key)
    again = SessionStore(cookie)
    assert dict(again) == {"note": "ünïcode", "deep": {"list": [1, None]}}
    again["note"] = "changed"
    again.save()
    assert SessionStore(cookie)["note"] == "changed"
    assert Session.objects.count() == 1


def test_its_row_has_neither_the_cookie_nor_what_is_in_it() -> None:
    cookie = str(stored(note="what nobody may read").session_key)
    row = Session.objects.get()
    assert row.session_key == row_key(cookie) != cookie
    raw = base64.urlsafe_b64decode(row.session_data)
    for text in (cookie, "what nobody may read", "note"):
        assert text not in str(vars(row))
        assert text.encode() not in raw
    assert row.get_decoded() == {}


def test_what_is_in_the_row_is_no_cookie() -> None:
    stored(note="mine")
    row = Session.objects.get()
    for text in (row.session_key, row.session_data, row.session_key[:32]):
        assert dict(SessionStore(text)) == {}


def test_a_row_that_was_copied_altered_or_made_by_others_is_empty(settings: Settings) -> None:
    one, other = stored(note="one"), stored(note="other")
    rows = {
        key: Session.objects.get(session_key=row_key(str(key.session_key))) for key in (one, other)
    }
    theirs = rows[other].session_data
    forged = base64.urlsafe_b64encode(json.dumps({"note": "forged"}).encode()).decode()
    middle = len(theirs) // 2
    altered = theirs[:middle] + ("A" if theirs[middle] != "A" else "B") + theirs[middle + 1 :]
    for data in (theirs, forged, altered, "", "?", "ä"):
        Session.objects.filter(pk=rows[one].pk).update(session_data=data)
        assert dict(SessionStore(one.session_key)) == {}
    assert SessionStore(other.session_key)["note"] == "other"
    settings.SECRET_KEY = "another" * 8
    assert dict(SessionStore(other.session_key)) == {}


def test_it_is_forgotten_by_its_cookie_and_by_no_other() -> None:
    one, other = stored(note="one"), stored(note="other")
    SessionStore().delete(str(one.session_key))
    SessionStore().delete("unknown-to-anybody")
    assert not SessionStore().exists(str(one.session_key))
    assert SessionStore().exists(str(other.session_key))
    former = str(other.session_key)
    other.cycle_key()
    assert not SessionStore().exists(former)
    other.flush()
    assert not Session.objects.exists()


def test_a_thief_of_the_database_is_not_signed_in(
    client: Client, alice: User, password: str
) -> None:
    client.post(reverse("account_login"), {"login": "alice", "password": password})
    assert client.get(reverse("files:list")).status_code == 200
    rows = [*Session.objects.values_list(), *UserSession.objects.values_list()]
    values = [str(value) for row in rows for value in row]
    assert values
    cookie = client.cookies["sessionid"].value
    assert cookie not in str(values)
    for value in values:
        thief = Client()
        thief.cookies["sessionid"] = value
        assert thief.get(reverse("files:list")).status_code == 302
