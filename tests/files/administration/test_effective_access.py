"""The admin's pages of effective access, of one file and of one person."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.administration import effective_access
from files.models import FileRecord
from tests.files.conftest import give
from tests.files.test_admin import queries
from tests.files.test_models import filed

NOW = timezone.now


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def of(thing: FileRecord | User) -> str:
    model = "files_filerecord" if isinstance(thing, FileRecord) else "accounts_user"
    return reverse(f"admin:{model}_access", args=[thing.pk])


def text(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return " ".join(strip_tags(response.text).split())


def test_a_file_says_who_can_read_it_and_why(
    admin: Client, alice: User, bob: User, mallory: User
) -> None:
    record = filed(alice, name="<b>plan</b>.pdf")
    team = Group.objects.create(name="Audit")
    bob.groups.add(team)
    until = NOW() + timedelta(days=1)
    grant = give(record, team, expires_at=until)
    give(record, mallory, expires_at=NOW())
    shown = text(admin, of(record))
    assert "alice owner" in shown
    assert (
        f"bob grant {grant.pk} via group \u201cAudit\u201d, download, until {until:%-d %b %Y}"
        in shown
    )
    assert "mallory" not in shown
    assert "<b>plan" not in admin.get(of(record)).text
    shut = text(admin, of(record), show="not")
    assert "mallory" in shut
    assert "ended" in shut
    assert "bob" not in shut


def test_a_person_has_the_same_the_other_way_round(admin: Client, alice: User, bob: User) -> None:
    own, granted = filed(bob, name="own.txt"), filed(alice, name="granted.txt")
    grant = give(granted, bob, level="manage")
    ended = filed(alice, name="ended.txt")
    give(ended, bob, revoked_at=NOW())
    shown = text(admin, of(bob))
    assert "own.txt owner" in shown
    assert f"granted.txt grant {grant.pk}, manage, no end" in shown
    assert "ended.txt" not in shown
    assert "ended.txt" in text(admin, of(bob), show="not")
    assert of(own) in admin.get(of(bob)).text


def test_a_deactivated_person_reads_nothing(admin: Client, alice: User, bob: User) -> None:
    record = filed(alice)
    give(record, bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert "bob" not in text(admin, of(record))
    assert "the account is deactivated" in text(admin, of(record), show="not")
    shown = text(admin, of(bob))
    assert "it can read nothing" in shown
    assert "a.txt" not in shown
    assert "a.txt" in text(admin, of(bob), show="not")


def test_says_who_may_not_download(admin: Client, alice: User, bob: User) -> None:
    record = filed(alice)
    give(record, bob)
    bob.groups.clear()
    for thing in (record, bob):
        assert "no: lacks the permission \u201cCan download files\u201d" in text(admin, of(thing))


def test_the_pages_lead_there(admin: Client, alice: User) -> None:
    record = filed(alice)
    for thing, page in ((record, "files_filerecord"), (alice, "accounts_user")):
        change = admin.get(reverse(f"admin:{page}_change", args=[thing.pk]))
        assert of(thing) in change.text


@pytest.mark.parametrize("show", ["now", "not"])
def test_takes_as_many_queries_whatever_there_is(
    admin: Client,
    alice: User,
    bob: User,
    django_assert_num_queries: DjangoAssertNumQueries,
    show: str,
) -> None:
    record = filed(alice)

    def more(count: int, start: int) -> None:
        ended = None if show == "now" else NOW()
        for number in range(start, start + count):
            team = Group.objects.create(name=f"Team {number}")
            person = User.objects.create(username=f"user{number}")
            person.groups.add(team)
            bob.groups.add(team)
            give(record, team, revoked_at=ended)
            give(record, person, revoked_at=ended)
            give(filed(alice), team, revoked_at=ended)
            give(filed(alice), bob, revoked_at=ended)

    more(2, 0)
    counts = {thing: queries(admin, of(thing) + f"?show={show}") for thing in (record, bob)}
    more(12, 2)
    for thing, count in counts.items():
        with django_assert_num_queries(count):
            admin.get(of(thing), {"show": show})


def test_the_lists_are_paged(
    admin: Client, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effective_access, "PER_PAGE", 1)
    record = filed(alice)
    give(record, bob)
    assert "bob" not in text(admin, of(record))
    assert "bob" in text(admin, of(record), page="2")
    assert "Page 2 of 2" in text(admin, of(record), page="99")


@pytest.mark.parametrize(
    "missing", ["view_filerecord", "view_grant", "view_user", "all", "not staff"]
)
def test_only_staff_who_may_view_files_and_grants_look(
    client: Client, alice: User, bob: User, missing: str
) -> None:
    names = {"view_filerecord", "view_grant", "view_user"} - {missing}
    permissions = Permission.objects.filter(codename__in=names)
    bob.user_permissions.set([] if missing == "all" else permissions)
    User.objects.filter(pk=bob.pk).update(is_staff=missing != "not staff")
    client.force_login(bob)
    refused = 302 if missing == "not staff" else 403
    assert client.get(of(alice)).status_code == refused
    expected = 200 if missing == "view_user" else refused
    assert client.get(of(filed(alice))).status_code == expected


def test_what_does_not_exist_is_a_404(admin: Client) -> None:
    unknown = reverse("admin:files_filerecord_access", args=[uuid.uuid4()])
    assert admin.get(unknown).status_code == 404
    for number in (0, 10**30):
        nobody = reverse("admin:accounts_user_access", args=[number])
        assert admin.get(nobody).status_code == 404


def test_grants_are_filtered_by_what_ends_within_seven_days(
    admin: Client, alice: User, bob: User
) -> None:
    record = filed(alice)
    soon = give(record, bob, expires_at=NOW() + timedelta(days=6, hours=23))
    give(record, bob, expires_at=NOW() + timedelta(days=7, hours=1))
    give(record, bob, expires_at=NOW())
    give(record, bob, expires_at=NOW() + timedelta(days=1), revoked_at=NOW())
    give(record, bob)
    later = NOW() + timedelta(days=1)
    give(record, bob, starts_at=later, expires_at=later + timedelta(days=1))
    found = admin.get(reverse("admin:files_grant_changelist"), {"status": "expiring"})
    assert list(found.context["cl"].result_list) == [soon]
    assert "ends within 7 days" in found.text
