"""The queue as `doctor`, the front page, the metrics and the administration tell it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from audit.models import LastRun
from files.administration import dashboard
from notices import mail, state
from notices.models import Mail
from runtime.findings import Level
from securestore.diagnosis import surroundings
from tests.mails import delivered

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(settings: Settings) -> Mail:
    settings.SITE_URL = "https://vault.example.org"
    return mail.put("A", "secret words", kind="link", to="guest@example.org")


def told() -> tuple[Level, str]:
    [line] = surroundings.check_mails()
    return line.level, line.said


def test_mails_that_nobody_sends_are_told_of(row: Mail, root: User) -> None:
    assert told()[0] is Level.OK
    made = timezone.now() - timedelta(minutes=25)
    Mail.objects.update(made_at=made)
    level, text = told()
    assert level is Level.FAIL
    assert "1 wait, the oldest for 25 min, and nobody sends them." in text
    found = dashboard.of(root)
    assert found is not None
    assert "1 mail waits" in [str(entry.text) for entry in found.entries]
    # Somebody does, and will come to it.
    LastRun.objects.create(name="deliver", started_at=timezone.now(), ended_at=timezone.now())
    assert told()[0] is Level.OK


def test_what_failed_is_told_of_with_the_servers_words(row: Mail, root: User) -> None:
    Mail.objects.update(last_error="451 greylisted")
    level, text = told()
    assert level is Level.WARN
    assert "1 fail, 0 were given up; the server said: 451 greylisted." in text
    found = dashboard.of(root)
    assert found is not None
    assert "1 mail was not sent" in [str(entry.text) for entry in found.entries]
    now = state.read(timezone.now())
    assert (now.waiting, now.failing, now.given_up) == (1, 1, 0)
    assert now.oldest > timedelta()


def test_administrators_see_how_it_goes_and_never_what_it_says(
    client: Client, row: Mail, root: User, mallory: User
) -> None:
    Mail.objects.update(last_error="451 later", due_at=timezone.now() + timedelta(hours=1))
    listed = reverse("admin:notices_mail_changelist")
    client.force_login(root)
    for url in (
        listed,
        f"{listed}?state=failing",
        reverse("admin:notices_mail_change", args=[row.pk]),
    ):
        text = client.get(url).text
        assert "guest@example.org" in text
        assert "451 later" in text
        assert "secret words" not in text
        assert row.master_key_id not in text
    assert "guest@example.org" not in client.get(f"{listed}?state=sent").text
    chosen = {"action": "try_now", "_selected_action": [row.pk]}
    assert not delivered()
    assert client.post(listed, chosen).status_code == 302
    assert len(delivered()) == 1
    # Who may only look cannot.
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(Permission.objects.filter(codename="view_mail"))
    client.force_login(mallory)
    assert client.get(listed).status_code == 200
    Mail.objects.update(due_at=timezone.now() + timedelta(hours=1))
    before = Mail.objects.get().due_at
    client.post(listed, chosen)
    assert Mail.objects.get().due_at == before
