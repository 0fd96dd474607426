"""Mails of notices: the first at once, then one an hour of a kind, in words that name no file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.models import FileRecord
from files.vault import storing
from notices import Kind, notify
from notices.models import Choice, Mail, Notice
from tests.files.conftest import give
from tests.mails import delivered

pytestmark = pytest.mark.django_db

SITE = "https://vault.example.org"


@pytest.fixture(autouse=True)
def _site(settings: Settings) -> None:
    settings.SITE_URL = SITE


@pytest.fixture
def record(alice: User, bob: User, s3: object) -> FileRecord:
    made = storing.store(alice, [b"x"], name="Kündigung Müller.txt")
    give(made, bob)
    Notice.objects.all().delete()
    return made


def an_hour_later() -> None:
    for row in Choice.objects.exclude(mailed_at=None):
        row.mailed_at = (row.mailed_at or timezone.now()) - timedelta(hours=1)
        row.save()


def test_a_flood_is_one_mail_now_and_one_an_hour_later(
    alice: User, bob: User, record: FileRecord
) -> None:
    notify(Kind.SHARED_WITH_YOU, [bob.pk], file_id=record.pk, actor_id=alice.pk)
    assert len(delivered()) == 1
    for _ in range(60):
        notify(Kind.SHARED_WITH_YOU, [bob.pk], file_id=record.pk, actor_id=alice.pk)
        assert len(delivered()) == 1
    # Another kind, and another person, have a turn of their own.
    notify(Kind.LINK_OPENED, [bob.pk], file_id=record.pk)
    notify(Kind.NEW_SIGN_IN, [bob.pk], details={"browser": "Firefox", "address": "192.0.2.1"})
    notify(Kind.SHARED_WITH_YOU, [alice.pk], file_id=record.pk, actor_id=bob.pk)
    assert [message.to for message in delivered()[1:]] == [[bob.email], [alice.email]] or [
        message.to for message in delivered()[1:]
    ] == [[alice.email], [bob.email]]
    an_hour_later()
    last = delivered()[-1]
    assert len(delivered()) == 4
    assert "60 notices" in last.subject
    assert str(last.body).count("alice shares with you") == 50
    assert "And 10 more" in str(last.body)
    assert not Notice.objects.filter(by_mail=True, mailed_at=None).exists()


@pytest.mark.parametrize("named", [False, True])
def test_no_mail_names_a_file_unless_the_setting_allows_it(
    alice: User, bob: User, record: FileRecord, settings: Settings, named: bool
) -> None:
    settings.MAIL_FILE_NAMES = named
    notify(Kind.SHARED_WITH_YOU, [bob.pk], file_id=record.pk, actor_id=alice.pk)
    [message] = delivered()
    html = str(message.alternatives[0][0])  # type: ignore[attr-defined]
    whole = f"{message.subject}{message.body}{html}"
    assert ("Kündigung" in str(message.body)) is named
    assert named or "Kündigung" not in whole
    assert f"{SITE}/files/{record.pk}/" in str(message.body)
    assert "src=" not in html


def test_what_its_reader_cannot_see_any_more_is_not_said(
    alice: User, bob: User, record: FileRecord, settings: Settings
) -> None:
    settings.MAIL_FILE_NAMES = True
    notify(Kind.SHARED_WITH_YOU, [bob.pk], file_id=record.pk, actor_id=alice.pk)
    record.grants.update(revoked_at=timezone.now())
    [message] = delivered()
    assert "Kündigung" not in str(message.body)
    assert str(record.pk) not in str(message.body)
    assert "something that you cannot see any more" in str(message.body)


def test_it_is_in_the_readers_language_and_zone(alice: User, bob: User, record: FileRecord) -> None:
    bob.language, bob.time_zone = "de", "Asia/Tokyo"
    bob.save()
    notify(Kind.SHARED_WITH_YOU, [bob.pk], file_id=record.pk, actor_id=alice.pk)
    [message] = delivered()
    assert "JST" in str(message.body)
    assert Mail.objects.get().language == "de"


def change(bob: User, **fields: Any) -> None:
    User.objects.filter(pk=bob.pk).update(**fields)


@pytest.mark.parametrize("away", [{"is_active": False}, {"email": ""}])
def test_who_cannot_be_reached_gets_none_and_holds_up_nobody(
    bob: User, alice: User, away: dict[str, Any]
) -> None:
    notify(Kind.PASSWORD_CHANGED, [bob.pk, alice.pk])
    change(bob, **away)
    assert [message.to for message in delivered()] == [[alice.email]]
    assert not Notice.objects.filter(mailed_at=None).exists()


def test_what_nobody_here_can_put_into_words_is_in_nobodys_way(
    bob: User, alice: User, client: Client
) -> None:
    """Of a newer release, say, or of details that are none."""
    Notice.objects.create(user=bob, kind="of_tomorrow", by_mail=True)
    Notice.objects.create(user=bob, kind=Kind.LINK_OPENED, by_mail=True, details={"count": "x"})
    Choice.objects.create(user=bob, kind=Kind.LINK_OPENED, by_mail=True)
    notify(Kind.PASSWORD_CHANGED, [alice.pk])
    assert [message.to for message in delivered()] == [[alice.email]]
    Notice.objects.filter(kind=Kind.LINK_OPENED).delete()
    client.force_login(bob)
    assert client.get("/notices/").status_code == 200


def test_a_choice_that_was_made_meanwhile_counts(bob: User) -> None:
    notify(Kind.GRANT_ENDS, [bob.pk], details={"until": "2026-12-03T10:00+0000"})
    Choice.objects.create(user=bob, kind=Kind.GRANT_ENDS, by_mail=False)
    assert not delivered()
