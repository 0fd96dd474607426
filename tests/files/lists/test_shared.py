"""What was shared with one: by the time of the grant, one row for each thing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.access.principals import Person
from files.lists import shared
from files.models import Folder, Grant
from tests.files import trees
from tests.files.lists.pages import every_page
from tests.files.test_models import placed
from tests.files.test_plans import plan_of

Give = Callable[..., Grant]
NOW = timezone.now()


def hours_ago(hours: float) -> Any:
    return NOW - timedelta(hours=hours)


def listed(user: User, length: int = 50, *, down: bool = True) -> list[str]:
    who = Person(user)
    found = every_page(
        lambda cursor: shared.page_of(who, down=down, cursor=cursor, length=length), at_most=30
    )
    assert all(len(page.rows) <= length for page in found)
    return [row.item.name for page in found for row in page.rows]


@pytest.fixture
def team(bob: User) -> Group:
    """A group that Bob is in."""
    group = Group.objects.create(name="Team")
    bob.groups.add(group)
    return group


@pytest.mark.parametrize("length", [1, 2, 50])
def test_files_and_folders_by_the_time_of_their_newest_grant(
    alice: User, bob: User, team: Group, give: Give, length: int
) -> None:
    first, second = placed(alice, name="first"), placed(alice, name="second")
    case = trees.folder(alice, "case")
    give(first, bob, created_at=hours_ago(5))
    give(case, team, created_at=hours_ago(4))
    give(second, bob, created_at=hours_ago(3))
    # Once more, later, and by another way: it stands where the newest one is, once.
    give(first, team, created_at=hours_ago(2))
    give(case, bob, level="add", created_at=hours_ago(6))
    assert listed(bob, length) == ["first", "second", "case"]
    assert listed(bob, length, down=False) == ["case", "second", "first"]
    [row, *_] = shared.page_of(Person(bob), length=5).rows
    assert (row.at, row.note) == (hours_ago(2), "Team")


def test_what_does_not_count_is_not_listed(
    alice: User, bob: User, mallory: User, team: Group, give: Give
) -> None:
    give(placed(alice, name="ended"), bob, expires_at=NOW)
    give(placed(alice, name="revoked"), bob, revoked_at=NOW)
    give(placed(alice, name="not yet"), bob, starts_at=NOW + timedelta(hours=1))
    give(placed(bob, name="own"), team)
    put_away = trees.folder(alice, "put away")
    give(put_away, bob)
    give(placed(alice, put_away, name="asleep"), bob)
    Folder.objects.filter(pk=put_away.pk).update(trashed_at=NOW)
    give(placed(alice, name="there"), bob)
    assert listed(bob) == ["there"]
    assert listed(mallory) == []
    User.objects.filter(pk=bob.pk).update(is_active=False)
    bob.refresh_from_db()
    assert listed(bob) == []
    assert shared.page_of(Person(AnonymousUser()), length=5).rows == []


def test_a_page_whose_grants_are_of_nothing_to_see_leads_on(
    alice: User, bob: User, team: Group, give: Give
) -> None:
    give(placed(alice, name="far back"), bob, created_at=hours_ago(50))
    for number in range(9):
        give(placed(bob, name=str(number)), team, created_at=hours_ago(number))
    page = shared.page_of(Person(bob), length=2)
    assert (page.rows, page.is_cut, bool(page.next_cursor)) == ([], True, True)
    assert listed(bob, 2) == ["far back"]


@pytest.mark.parametrize("merged", [1, 2, 100])
def test_any_number_of_groups_is_merged(
    alice: User, bob: User, give: Give, monkeypatch: pytest.MonkeyPatch, merged: int
) -> None:
    monkeypatch.setattr(shared, "MERGED", merged)
    for number in range(7):
        group = Group.objects.create(name=f"g{number}")
        bob.groups.add(group)
        give(placed(alice, name=str(number)), group, created_at=hours_ago(number % 4 + number / 10))
    assert listed(bob, 3) == ["0", "4", "1", "5", "2", "6", "3"]


def test_a_person_in_many_groups_is_listed_in_a_few_queries(
    alice: User,
    bob: User,
    give: Give,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    groups = Group.objects.bulk_create([Group(name=f"g{number}") for number in range(150)])
    bob.groups.set(groups)
    for number in (0, 99, 149):
        give(placed(alice, name=str(number)), groups[number])
    with django_assert_max_num_queries(7):
        assert len(shared.page_of(Person(bob), length=50).rows) == 3


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what there is")
@pytest.mark.parametrize("deep", [False, True])
def test_what_a_page_is_made_of_is_merged_and_never_sorted(
    alice: User, bob: User, team: Group, give: Give, deep: bool
) -> None:
    for number in range(5):
        give(placed(alice, name=str(number)), team if number % 2 else bob)
    begin = (NOW, 3) if deep else None
    with CaptureQueriesContext(connection) as captured:
        shared._positions(Person(bob), begin, down=True, at_most=5)
    plan = plan_of(captured)
    assert any("grant_user_given" in step for step in plan), plan
    assert any("grant_group_given" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
