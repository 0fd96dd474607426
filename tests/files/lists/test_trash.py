"""What the trash proposes and what the rule lets through, of one's own and of other owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.lists import trash
from files.models import FileRecord, Folder
from files.tree import placing
from tests.files import trees
from tests.files.conftest import give
from tests.files.lists.pages import every_page
from tests.files.test_models import placed
from tests.files.test_plans import assert_by_index

NOW = timezone.now()


def put_away(item: FileRecord | Folder, hours: float, by: User) -> None:
    placing.leave(item)
    manager: Any = type(item)._default_manager
    manager.filter(pk=item.pk).update(trashed_at=NOW - timedelta(hours=hours), trashed_by=by)


def listed(user: User, length: int = 50, *, down: bool = True) -> list[str]:
    who = Person(user)
    found = every_page(
        lambda cursor: trash.page_of(who, down=down, cursor=cursor, length=length), at_most=40
    )
    assert all(len(page.rows) <= length for page in found)
    return [row.item.name for page in found for row in page.rows]


@pytest.fixture
def case(alice: User) -> Folder:
    """Alice's folder Case."""
    return trees.folder(alice, "Case")


@pytest.mark.parametrize("length", [1, 2, 50])
def test_of_another_owner_what_one_manages_or_put_away_oneself(
    alice: User, bob: User, case: Folder, length: int
) -> None:
    other = trees.folder(alice, "Other")
    give(case, bob, level="manage")
    give(other, bob, level="add")
    for number in range(6):
        put_away(placed(alice, name=f"of alice {number}"), number, alice)
    put_away(placed(alice, case, name="managed"), 2.5, alice)
    put_away(trees.folder(alice, "Case", "inside"), 1.5, alice)
    put_away(placed(bob, other, name="own addition"), 3.5, bob)
    put_away(placed(alice, other, name="not theirs"), 4.5, alice)
    put_away(placed(bob, name="own"), 5.5, bob)
    expected = ["inside", "managed", "own addition", "own"]
    assert listed(bob, length) == expected
    assert listed(bob, length, down=False) == expected[::-1]
    seen = {one.name for one in rule.trashed_files_of(Person(bob))}
    seen |= {one.name for one in rule.trashed_folders_of(Person(bob))}
    assert seen == set(expected)
    assert listed(alice, length) == [
        *("of alice 0", "of alice 1", "inside", "of alice 2", "managed", "of alice 3"),
        *("own addition", "of alice 4", "not theirs", "of alice 5"),
    ]


def test_things_of_one_moment_are_each_there_once(alice: User) -> None:
    for number in range(5):
        put_away(placed(alice, name=f"file {number}"), 1, alice)
        put_away(trees.folder(alice, f"folder {number}"), 1, alice)
    for down in (True, False):
        assert len(listed(alice, 3, down=down)) == len(set(listed(alice, 3, down=down))) == 10


def test_nobody_has_no_trash(alice: User) -> None:
    put_away(placed(alice), 1, alice)
    assert trash.page_of(Person(AnonymousUser()), length=5).rows == []
    alice.is_active = False
    assert listed(alice) == []


def test_queries_are_as_many_however_much_was_put_away(
    alice: User, bob: User, case: Folder, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    give(case, bob, level="manage")
    for number in range(30):
        put_away(placed(alice, case, name=str(number)), number, alice)
        with django_assert_max_num_queries(6):
            trash.page_of(Person(bob), length=9)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what there is")
def test_what_is_proposed_is_read_by_indexes(alice: User, bob: User, case: Folder) -> None:
    give(case, bob, level="manage")
    put_away(placed(alice, case), 1, alice)
    first = trash.page_of(Person(bob), length=1)
    with CaptureQueriesContext(connection) as captured:
        trash.page_of(Person(bob), cursor=first.next_cursor, length=1)
    assert_by_index(captured)
