"""Effective access, explained. That it is the rule read backwards, test_access.py shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import User
from files import access
from files.access import Person
from files.models import FileRecord, Grant
from files.sharing.effective_access import (
    AT_MOST,
    explain_files,
    explain_readers,
    readers,
    shut_out,
    withheld,
)
from tests.files.conftest import give
from tests.files.test_models import filed

NOW = timezone.now
HOUR = timedelta(hours=1)


def said(record: FileRecord, user: User, *, live: bool = True) -> list[str]:
    [one] = explain_readers(record, [user], now=NOW(), live=live)
    [back] = explain_files(user, [record], now=NOW(), live=live)
    assert one == back
    return [f"{reason} {reason.status}" for reason in one.reasons]


def test_says_why_somebody_can_read_a_file(alice: User, bob: User) -> None:
    record = filed(alice)
    team = Group.objects.create(name="Audit")
    bob.groups.add(team)
    until = NOW() + HOUR
    through, own = give(record, team, expires_at=until), give(record, bob, level="manage")
    give(record, bob, revoked_at=NOW())
    assert said(record, alice) == ["owner live"]
    assert said(record, bob) == [
        f"grant {own.pk} live",
        f"grant {through.pk} via group \u201cAudit\u201d live",
    ]
    [one] = explain_readers(record, [bob], now=NOW(), live=True)
    assert [reason.until for reason in one.reasons] == [None, until]


def test_says_why_somebody_cannot(alice: User, bob: User) -> None:
    record = filed(alice)
    give(record, bob, revoked_at=NOW())
    give(record, bob, expires_at=NOW())
    give(record, bob, starts_at=NOW() + HOUR)
    assert list(shut_out(record)) == [bob]
    assert list(withheld(bob)) == [record]
    found = [reason.split()[-1] for reason in said(record, bob, live=False)]
    assert sorted(found) == ["expired", "revoked", "scheduled"]


def test_who_is_deactivated_reads_nothing_whatever_they_hold(alice: User, bob: User) -> None:
    record = filed(alice)
    give(record, bob)
    User.objects.update(is_active=False)
    bob.refresh_from_db()
    assert not readers(record).exists()
    assert set(shut_out(record)) == {alice, bob}
    assert list(withheld(bob)) == [record]


def test_says_who_lacks_the_permission_to_download(alice: User, bob: User, root: User) -> None:
    record = filed(alice)
    for user in (bob, root):
        give(record, user)
    bob.groups.clear()
    found = explain_readers(record, readers(record).order_by("username"), now=NOW(), live=True)
    assert [(one.user, one.may_download) for one in found] == [
        (alice, True),
        (bob, False),
        (root, True),
    ]


def test_names_the_widest_few_grants_of_each_recipient(alice: User, bob: User) -> None:
    record = filed(alice)
    for hours in range(1, AT_MOST + 3):
        give(record, bob, expires_at=NOW() + hours * HOUR)
    widest = give(record, bob, level="manage", expires_at=NOW() + HOUR)
    found = said(record, bob)
    assert len(found) == AT_MOST
    assert found[0].startswith(f"grant {widest.pk} ")


def test_takes_a_fixed_number_of_queries(
    alice: User, bob: User, django_assert_num_queries: Any
) -> None:
    people = User.objects.bulk_create([User(username=f"user{number}") for number in range(20)])
    record = filed(alice)
    for number, person in enumerate(people):
        team = Group.objects.create(name=f"Team {number}")
        person.groups.add(team)
        bob.groups.add(team)
        Grant.objects.bulk_create(
            [Grant(file=record, group=team), Grant(file=record, user=person)] * 3
        )
        give(filed(alice), team)
    with django_assert_num_queries(4):
        assert len(explain_readers(record, readers(record), now=NOW(), live=True)) == 22
    with django_assert_num_queries(4):
        files = access.visible_to(Person(bob))
        assert len(explain_files(bob, files, now=NOW(), live=True)) == 21
