"""Effective access, explained. That it is the rule read backwards, access/test_rule.py shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.models import FileRecord, Folder, Grant, Item
from files.sharing.effective_access import (
    AT_MOST,
    PUT_AWAY,
    explain_files,
    explain_readers,
    managed_on_the_way,
    managers,
    readable,
    readers,
    shut_out,
    withheld,
)
from tests.files import trees
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


def test_names_with_each_file_its_own_grants_alone(alice: User, bob: User) -> None:
    records = [filed(alice) for _ in range(2)]
    grants = {record.pk: give(record, bob).pk for record in records}
    found = explain_files(bob, records, now=NOW(), live=True)
    assert {one.record.pk: [str(reason) for reason in one.reasons] for one in found} == {
        record: [f"grant {grant}"] for record, grant in grants.items()
    }


def test_names_the_folder_that_a_grant_is_on(alice: User, bob: User) -> None:
    cases, inner = trees.folder(alice, "Cases"), trees.folder(alice, "Cases", "12")
    record = trees.put(filed(alice), inner)
    team = Group.objects.create(name="Audit")
    bob.groups.add(team)
    through = give(cases, team, level="manage")
    nearer, own = give(inner, bob, level="add"), give(record, bob)
    expected = [
        f"grant {through.pk} on the folder \u201cCases\u201d via group \u201cAudit\u201d live",
        f"grant {nearer.pk} on the folder \u201c12\u201d live",
        f"grant {own.pk} live",
    ]
    assert said(record, bob) == expected
    assert set(readers(record)) == set(readers(inner)) == {alice, bob}
    [one] = explain_readers(inner, [bob], now=NOW(), live=True)
    assert [str(reason) for reason in one.reasons] == [
        expected[0].removesuffix(" live"),
        f"grant {nearer.pk}",
    ]


def test_a_grant_reaches_neither_a_sibling_nor_what_is_above(alice: User, bob: User) -> None:
    inner = trees.folder(alice, "Cases", "12")
    beside = trees.put(filed(alice), trees.folder(alice, "Cases", "13"))
    give(inner, bob)
    for item in (beside, trees.folder(alice, "Cases"), trees.folder(alice)):
        assert list(readers(item)) == [alice]
        assert not shut_out(item).exists()


def test_what_was_put_away_is_nobodys(alice: User, bob: User) -> None:
    cases = trees.folder(alice, "Cases")
    record = trees.put(filed(alice), trees.folder(alice, "Cases", "12"))
    grant = give(cases, bob)
    Folder.objects.filter(pk=cases.pk).update(trashed_at=NOW())
    record.refresh_from_db()
    assert not readers(record).exists()
    assert set(shut_out(record)) == {alice, bob}
    assert list(withheld(bob)) == list(withheld(alice)) == [record]
    assert said(record, bob) == []
    found = [f"grant {grant.pk} on the folder \u201cCases\u201d {PUT_AWAY}"]
    assert said(record, bob, live=False) == found
    assert said(record, alice, live=False) == [f"owner {PUT_AWAY}"]


def test_what_is_found_from_a_persons_side_is_what_the_rule_lets_them_see(
    alice: User, bob: User
) -> None:
    own, given, below, away = filed(bob), filed(alice), filed(alice), filed(alice)
    filed(alice)
    give(given, bob)
    trees.put(below, trees.folder(alice, "Cases", "12"))
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    give(trees.folder(alice, "Cases"), team)
    trees.put(away, trees.folder(alice, "Cases", "13"))
    Folder.objects.filter(name="13").update(trashed_at=NOW())
    give(filed(alice), bob, revoked_at=NOW())
    assert set(readable(bob)) == set(rule.visible_to(Person(bob))) == {own, given, below}
    assert withheld(bob).count() == 2
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert not readable(User.objects.get(pk=bob.pk)).exists()


def test_who_manages_it_and_what_above_is_the_rule_read_backwards(
    alice: User, bob: User, mallory: User, root: User, django_assert_num_queries: Any
) -> None:
    """In person, through a group, at each height; of others nothing, and nothing of what sleeps."""
    people = [alice, bob, mallory, root]
    cases, inner = trees.folder(alice, "Cases"), trees.folder(alice, "Cases", "12")
    record = trees.put(filed(alice), inner)
    places: list[Item] = [record, inner, cases]
    team = Group.objects.create(name="Audit")
    mallory.groups.add(team)

    def agree() -> dict[int, int]:
        with django_assert_num_queries(3):
            found = managed_on_the_way(record, people)
        for user in people:
            who = Person(User.objects.get(pk=user.pk))
            seen = {*rule.managed_by(who), *rule.folders_managed_by(who)}
            assert {one.pk for one in places if one in seen} == found[user.pk] & {
                one.pk for one in places
            }
        for place in places:
            assert {user.pk for user in managers(place)} == {
                user.pk for user in people if place.pk in found[user.pk]
            }
        return {user.pk: len(found[user.pk] & {one.pk for one in places}) for user in people}

    give(record, root, level="download")
    give(cases, root, level="add")
    give(inner, bob, level="manage", revoked_at=NOW())
    assert agree() == {alice.pk: 3, bob.pk: 0, mallory.pk: 0, root.pk: 0}
    give(inner, bob, level="manage")
    give(record, mallory, level="manage")
    assert agree() == {alice.pk: 3, bob.pk: 2, mallory.pk: 1, root.pk: 0}
    give(cases, team, level="manage")
    assert agree() == {alice.pk: 3, bob.pk: 2, mallory.pk: 3, root.pk: 0}
    Folder.objects.filter(pk=cases.pk).update(trashed_at=NOW())
    record.refresh_from_db()
    assert managed_on_the_way(record, people) == {}
    assert not managers(record).exists()


def test_widest_is_what_lets_most_be_done_and_not_what_sorts_last(alice: User, bob: User) -> None:
    cases = trees.folder(alice, "Cases")
    grants = {level: give(cases, bob, level=level) for level in ("download", "add", "manage")}
    [one] = explain_readers(cases, [bob], now=NOW(), live=True)
    wanted = [str(grants[level].pk) for level in ("manage", "add", "download")]
    assert [str(reason).split()[1] for reason in one.reasons] == wanted


def test_takes_a_fixed_number_of_queries(
    alice: User, bob: User, django_assert_num_queries: Any
) -> None:
    people = User.objects.bulk_create([User(username=f"user{number}") for number in range(20)])
    at = trees.folder(alice)
    for depth in range(5):
        at = trees.folder(alice, *[f"{number}" for number in range(depth + 1)])
        Grant.objects.bulk_create([Grant(folder=at, user=person) for person in people])
    record = trees.put(filed(alice), at)
    for number, person in enumerate(people):
        team = Group.objects.create(name=f"Team {number}")
        person.groups.add(team)
        bob.groups.add(team)
        Grant.objects.bulk_create(
            [Grant(file=record, group=team), Grant(file=record, user=person)] * 3
        )
        give(trees.put(filed(alice), trees.folder(alice, f"Case {number}")), team)
    with django_assert_num_queries(6):
        assert len(explain_readers(record, readers(record), now=NOW(), live=True)) == 22
    with django_assert_num_queries(6):
        assert len(explain_readers(at, readers(at), now=NOW(), live=True)) == 21
    with django_assert_num_queries(5):
        files = rule.visible_to(Person(bob))
        assert len(explain_files(bob, files, now=NOW(), live=True)) == 21
