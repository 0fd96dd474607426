"""The front page says what needs attention, to who may see the lists that have it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

import audit
from accounts.models import Invitation, User
from audit.models import LastRun
from files.administration import dashboard
from files.models import StoredObject
from files.upkeep import attention
from tests.files.conftest import give
from tests.files.test_models import filed

pytestmark = pytest.mark.django_db


@pytest.fixture
def trouble(alice: User, bob: User, root: User) -> None:
    """One of everything that needs attention, but a rotation."""
    record, now = filed(alice), timezone.now()
    StoredObject.objects.filter(pk=record.current_id).update(state="damaged")
    give(record, bob, expires_at=now + timedelta(days=1))
    audit.record(audit.Event.LOCKED_OUT, user_id=bob.pk, username="bob")
    Invitation.objects.create(
        email="a@example.org", token_hash="a", invited_by=root, sent_at=now, expires_at=now
    )


@pytest.fixture
def upkeep() -> None:
    """All work was done a moment ago."""
    now = timezone.now()
    for name in attention.WATCHED:
        LastRun.objects.create(name=name, started_at=now, succeeded_at=now, outcome="complete")


def page(client: Client, who: User) -> str:
    client.force_login(who)
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    return answer.text


@pytest.mark.usefixtures("trouble")
def test_each_trouble_has_a_link_to_the_list_that_shows_it(client: Client, root: User) -> None:
    page(client, root)
    shown = dashboard.of(root)
    assert shown is not None
    assert [entry.text for entry in shown.entries if entry.grave] == [
        "1 damaged file",
        "Backup: never done",
    ]
    for entry in shown.entries:
        answer = client.get(entry.url)
        assert answer.status_code == 200, entry
        if "command" not in entry.url:
            assert len(answer.context["cl"].result_list) == 1, entry


@pytest.mark.usefixtures("upkeep")
def test_where_all_is_well_it_says_so(client: Client, root: User) -> None:
    shown = page(client, root)
    assert "Nothing needs attention." in shown
    assert shown.count('class="status well"') == len(attention.WATCHED)


@pytest.mark.usefixtures("trouble")
@pytest.mark.parametrize(
    ("permission", "sees"),
    [
        ("view_filerecord", {"1 damaged file"}),
        ("view_grant", {"1 share ends within 7 days"}),
        ("view_invitation", {"1 unused invitation"}),
        ("view_masterkey", set()),
    ],
)
def test_staff_see_what_their_lists_show(
    client: Client, mallory: User, permission: str, sees: set[str]
) -> None:
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(Permission.objects.filter(codename=permission))
    shown = dashboard.of(User.objects.get(pk=mallory.pk))
    assert shown is not None
    assert {entry.text for entry in shown.entries} == sees
    assert shown.work == []
    assert "bob" not in page(client, mallory)


@pytest.mark.usefixtures("trouble")
def test_who_reads_the_log_sees_runs_and_lock_outs(mallory: User) -> None:
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(Permission.objects.filter(codename="view_auditevent"))
    shown = dashboard.of(User.objects.get(pk=mallory.pk))
    assert shown is not None
    [advice] = [
        entry.advice
        for entry in shown.entries
        if entry.text == "1 person locked out since yesterday: bob"
    ]
    assert advice == "It ends by itself. Ask whether it was that person who tried."
    assert len(shown.work) == len(attention.WATCHED)


def test_staff_who_may_see_no_list_see_no_dashboard(client: Client, mallory: User) -> None:
    mallory.is_staff = True
    mallory.save()
    assert dashboard.of(mallory) is None
    assert "attention" not in page(client, mallory)


def test_the_number_of_queries_is_fixed(client: Client, root: User, alice: User, bob: User) -> None:
    page(client, root)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("admin:index"))
        counts.append(len(captured))
        for _more in range(5):
            record = filed(alice)
            StoredObject.objects.filter(pk=record.current_id).update(state="damaged")
            give(record, bob, expires_at=timezone.now() + timedelta(days=1))
            audit.record(audit.Event.LOCKED_OUT, user_id=bob.pk, username="bob")
    assert counts[0] == counts[1] <= 12
