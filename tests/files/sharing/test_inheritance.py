"""What is shown of a thing's grants: those that last, its own by number, those above by age."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import Group
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.sharing import inheritance
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_models import filed, placed

DAY = timedelta(days=1)


def test_its_own_are_those_that_last_page_by_page(alice: User, bob: User) -> None:
    record, now = filed(alice), timezone.now()
    give(record, bob, expires_at=now - DAY)
    give(record, bob, revoked_at=now)
    lasting = [give(record, bob), give(record, bob, starts_at=now + DAY), give(record, alice)]
    give(filed(alice), bob)
    assert inheritance.lasting_on(record, after=0, at_most=9) == lasting
    assert inheritance.lasting_on(record, after=0, at_most=2) == lasting[:2]
    assert inheritance.lasting_on(record, after=lasting[1].pk, at_most=2) == lasting[2:]


def test_from_above_come_those_of_every_folder_above_the_newest_first(
    alice: User, bob: User
) -> None:
    outer, inner = trees.folder(alice, "Cases"), trees.folder(alice, "Cases", "12")
    record = placed(alice, inner, name="a.pdf")
    team = Group.objects.create(name="Team")
    far, near = give(outer, bob), give(inner, team)
    give(outer, bob, revoked_at=timezone.now())
    give(record, bob)
    give(trees.folder(alice, "Beside"), bob)
    assert inheritance.from_above(record) == [near, far]
    # A folder has its own, and from above those alone that are on no part of itself.
    assert inheritance.from_above(inner) == [far]
    assert inheritance.from_above(trees.folder(alice)) == []


def test_they_are_told_in_one_query_each(
    alice: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    folder = trees.folder(alice, "Cases")
    record = placed(alice, folder, name="a.pdf")
    for thing in (record, folder):
        give(thing, bob, granted_by=alice)
    with django_assert_num_queries(2):
        found = inheritance.lasting_on(record, after=0, at_most=9) + inheritance.from_above(record)
        told = [(one.user, one.group, one.granted_by, one.folder) for one in found]
    assert told == [(bob, None, alice, None), (bob, None, alice, folder)]


def test_so_many_are_named_and_no_more(alice: User, bob: User) -> None:
    folder = trees.folder(alice, "Cases")
    record = placed(alice, folder, name="a.pdf")
    for _ in range(inheritance.AT_MOST + 1):
        give(folder, bob)
    assert len(inheritance.from_above(record)) == inheritance.AT_MOST
