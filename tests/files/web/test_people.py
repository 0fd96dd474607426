"""Suggestions while somebody types: for who may share, and never an address."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts import limits
from accounts.models import User
from tests.files.test_models import placed

pytestmark = pytest.mark.django_db
URL = "/people/suggest/"


@pytest.fixture
def sharer(alice: User, client: Client) -> Client:
    alice.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    client.force_login(alice)
    return client


def test_people_and_groups_are_suggested(sharer: Client, bob: User) -> None:
    assert reverse("suggest_people") == URL
    User.objects.filter(pk=bob.pk).update(email="mustermann@example.org")
    bob.refresh_from_db()
    bob.last_name = "M\u00fcller"
    bob.save()
    group = Group.objects.create(name="Museum")
    group.user_set.add(bob)
    answer = sharer.get(URL, {"q": "mu"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "suggestions": [
            {"kind": "user", "id": bob.pk, "label": "M\u00fcller", "detail": "bob"},
            {"kind": "group", "id": group.pk, "label": "Museum", "detail": "1 person"},
        ]
    }
    assert b"example.org" not in answer.content
    assert sharer.get(URL, {"q": "mustermann"}).json() == {"suggestions": []}


@pytest.mark.parametrize("text", ["", "m", "\0", "%", "m" * 5000])
def test_what_finds_nobody_is_no_error(sharer: Client, bob: User, text: str) -> None:
    answer = sharer.get(URL, {"q": text})
    assert (answer.status_code, answer.json()) == (200, {"suggestions": []})
    assert sharer.get(URL).json() == {"suggestions": []}


def test_who_may_not_share_is_told_nobody(client: Client, mallory: User) -> None:
    client.force_login(mallory)
    assert client.get(URL, {"q": "bo"}).status_code == 403


def test_only_reading_is_a_method_of_it(sharer: Client) -> None:
    assert sharer.post(URL, {"q": "mu"}).status_code == 405


# --- How often ------------------------------------------------------------------------------------


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        limits, "NAMES_OF_PEOPLE", limits.Limit("test_names", {"user": "3/h", "address": "5/h"})
    )


def test_who_asks_too_often_is_told_when_to_ask_again(
    sharer: Client, bob: User, three: None
) -> None:
    for _ in range(3):
        assert sharer.get(URL, {"q": "bo"}).status_code == 200
    answer = sharer.get(URL, {"q": "bo"}, headers={"Accept": "application/json"})
    assert answer.status_code == 429
    assert answer["Content-Type"].startswith("text/plain")
    assert "60 minutes" in answer.text
    assert 3500 < int(answer["Retry-After"]) <= 3600
    assert "bob" not in answer.text


def test_another_person_and_another_address_are_counted_by_themselves(
    client: Client, alice: User, bob: User, three: None
) -> None:
    may = Permission.objects.get(codename="share_filerecord")
    for user, expected in ((alice, [200] * 3 + [429]), (bob, [200, 200, 429])):
        user.user_permissions.add(may)
        client.force_login(user)
        found = [client.get(URL, {"q": "xy"}).status_code for _ in expected]
        # Five from one address.
        assert found == expected


def test_who_may_not_share_is_not_counted(client: Client, bob: User, three: None) -> None:
    client.force_login(bob)
    assert {client.get(URL, {"q": "bo"}).status_code for _ in range(5)} == {403}


def test_a_form_that_names_people_who_are_not_there_counts_with_them(
    sharer: Client, alice: User, bob: User, three: None
) -> None:
    record = placed(alice)
    address = f"/files/{record.pk}/grants/"
    form = {"level": "download", "until": "7"}
    for number in range(2):
        page = sharer.post(address, {"to": f"nobody {number}", **form})
        assert page.status_code == 400
    assert sharer.post(address, {"to": "bob", **form}).status_code == 302
    assert sharer.get(URL, {"q": "bo"}).status_code == 200
    page = sharer.post(address, {"to": "bob, nobody 3", **form})
    assert page.status_code == 429
    assert "You looked for many names" in page.text
    assert "There is no person" not in page.text
    # Which of them are known is not told by another mistake either.
    page = sharer.post(address, {"to": "user:bob", "level": "download", "until": "date"})
    assert page.status_code == 429
    assert "Choose the last day" in page.text
    # Who knows the name shares on.
    assert sharer.post(address, {"to": "user:bob", **form, "until": "30"}).status_code == 302
    several = sharer.post("/files/share/", {"file": record.pk, "to": "nobody", **form})
    assert several.status_code == 429
