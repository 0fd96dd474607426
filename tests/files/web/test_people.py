"""Suggestions while somebody types: for who may share, and never an address."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User

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
