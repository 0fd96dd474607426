"""What is in a folder: folders first, each order from its index, page by page without loss."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.access.principals import Person
from files.lists import contents, cursors
from files.lists.contents import Order
from files.models import FileRecord, Folder
from files.records.names import entry_key
from files.tree import placing
from tests.files.lists.pages import every_page
from tests.files.test_models import placed
from tests.files.test_plans import assert_by_index

ORDERS = ("name", "-name", "size", "-size", "time", "-time")


@pytest.fixture
def folder(alice: User) -> Folder:
    """A folder of Alice's with four folders and six files, some as large as others."""
    case = placing.add_folder(placing.root_of(alice), "Case", added_by=alice)
    for name in ("b", "A", "c", "Z"):
        placing.add_folder(case, name, added_by=alice)
    for number, name in enumerate(("y", "X", "w", "V", "u", "t")):
        placed(alice, case, name=name, size=number // 2)
    return case


def all_of(user: User, folder: Folder, sort: str, length: int) -> list[str]:
    order = Order.of(sort)
    assert order is not None
    who = Person(user)
    found = every_page(
        lambda cursor: contents.page_of(who, folder, order=order, cursor=cursor, length=length),
        at_most=20,
    )
    assert all(len(page.rows) <= length for page in found)
    return [row.item.name for page in found for row in page.rows]


@pytest.mark.parametrize("length", [1, 3, 4, 50])
@pytest.mark.parametrize("sort", ORDERS)
def test_every_order_is_whole_and_folders_come_first(
    alice: User, folder: Folder, sort: str, length: int
) -> None:
    folders = sorted(["b", "A", "c", "Z"], key=entry_key, reverse=sort == "-name")
    by: dict[str, Any] = {
        "name": lambda one: entry_key(one.name),
        "size": lambda one: (one.size, one.place),
        "time": lambda one: one.place,
    }
    records = FileRecord.objects.filter(folder=folder)
    files = sorted(records, key=by[sort.removeprefix("-")], reverse=sort.startswith("-"))
    assert all_of(alice, folder, sort, length) == folders + [one.name for one in files]


@pytest.mark.parametrize("sort", ["", "x", "--name", "-", "owner"])
def test_an_order_without_meaning_is_none(sort: str) -> None:
    assert Order.of(sort) is None


@pytest.mark.parametrize("sort", ORDERS)
def test_a_cursor_of_another_order_begins_anew(alice: User, folder: Folder, sort: str) -> None:
    order = Order.of(sort)
    assert order is not None
    page = contents.page_of(Person(alice), folder, order=order, length=1)
    other = Order("size" if order.by != "size" else "name", order.down)
    again = contents.page_of(Person(alice), folder, order=other, cursor=page.next_cursor, length=50)
    assert len(again.rows) == 10


@pytest.mark.parametrize("sort", ORDERS)
def test_what_was_put_away_or_is_nobodys_to_see_is_not_listed(
    alice: User, bob: User, mallory: User, folder: Folder, sort: str
) -> None:
    from tests.files.conftest import give

    record = FileRecord.objects.get(name="w")
    placing.leave(record)
    FileRecord.objects.filter(pk=record.pk).update(trashed_at=record.created_at)
    give(folder, bob)
    assert "w" not in all_of(alice, folder, sort, 3)
    assert len(all_of(bob, folder, sort, 3)) == 9
    # It is proposed by an index, and decided by the rule, though no page would ask.
    assert all_of(mallory, folder, sort, 3) == []


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what there is")
def test_a_page_is_read_by_indexes_and_never_sorted(
    alice: User, folder: Folder, sort: str, deep: bool
) -> None:
    order = Order.of(sort)
    assert order is not None
    first = contents.page_of(Person(alice), folder, order=order, length=6)
    with CaptureQueriesContext(connection) as captured:
        contents.page_of(
            Person(alice), folder, order=order, cursor=first.next_cursor if deep else "", length=5
        )
    assert_by_index(captured)
    proposing = []
    for query in captured.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            steps = [detail for *_, detail in cursor.fetchall()]
        if any(term in steps[0] for term in ("parent_id=", "folder_id=", "folder_id>")):
            proposing += steps
    assert len(proposing) == (1 if deep else 2)
    if deep:
        # From where the last page ended, and not from the beginning.
        assert any(">" in step or "<" in step for step in proposing), proposing


@pytest.mark.parametrize("sort", ORDERS)
def test_the_number_of_queries_does_not_depend_on_what_there_is(
    alice: User,
    folder: Folder,
    sort: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    order = Order.of(sort)
    assert order is not None
    for number in range(40):
        placed(alice, folder, name=f"more {number}")
        placing.add_folder(folder, f"folder {number}", added_by=alice)
    for length in (5, 60):
        with django_assert_max_num_queries(4):
            contents.page_of(Person(alice), folder, order=order, length=length)


def test_a_name_with_anything_in_it_is_a_cursor(alice: User) -> None:
    root = placing.root_of(alice)
    names = ['100% "sure" \'', "Ärger \N{GRINNING FACE}", "\\", "_", "漢"]
    for name in names:
        placed(alice, root, name=name)
    assert all_of(alice, root, "name", 1) == sorted(names, key=entry_key)
    assert cursors.decode(cursors.encode(names[0]), cursors.text) == (names[0],)
