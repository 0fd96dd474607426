"""Who signed in a while ago is asked again, loses nothing, and leaves no secret behind."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.models import FileRecord
from tests.files.test_models import filed


@pytest.fixture
def record(alice: User) -> FileRecord:
    return filed(alice)


@pytest.fixture
def late(client: Client, alice: User, settings: Settings) -> Client:
    """Alice's session, whose sign-in no longer counts."""
    client.force_login(alice)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    return client


def confirm(client: Client, location: str, password: str, settings: Settings) -> str:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    parts = urlsplit(location)
    form = {"password": password, "next": parse_qs(parts.query)["next"][0]}
    return str(client.post(parts.path, form)["Location"])


def test_any_sign_in_counts(client: Client, record: FileRecord, alice: User) -> None:
    client.force_login(alice)
    assert client.get(reverse("files:delete", args=[record.pk])).status_code == 200


def test_another_page_is_not_asked_for(late: Client, record: FileRecord) -> None:
    assert late.get(reverse("files:detail", args=[record.pk])).status_code == 200


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_a_late_deletion_is_asked_about_and_comes_back(
    late: Client, record: FileRecord, password: str, settings: Settings, method: str
) -> None:
    page = reverse("files:delete", args=[record.pk])
    answer = getattr(late, method)(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert FileRecord.objects.exists()
    assert confirm(late, answer["Location"], password, settings) == page
    assert late.get(page).status_code == 200


def test_a_wrong_password_confirms_nothing(late: Client, settings: Settings) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    late.get("/")
    answer = late.post(reverse("account_reauthenticate"), {"password": "wrong", "next": "/files/"})
    assert answer.status_code == 200
    assert b"Incorrect password" in answer.content


def test_what_was_posted_is_not_kept(late: Client, record: FileRecord) -> None:
    late.post(reverse("files:delete", args=[record.pk]), {"key": "a typed secret"})
    for row in Session.objects.filter(expire_date__gt=timezone.now()):
        assert "a typed secret" not in str(row.get_decoded())


def test_programs_are_told_in_words(late: Client, record: FileRecord) -> None:
    page = reverse("files:delete", args=[record.pk])
    answer = late.post(page, headers={"Accept": "application/json"})
    assert (answer.status_code, answer["Content-Type"]) == (403, "text/plain; charset=utf-8")
