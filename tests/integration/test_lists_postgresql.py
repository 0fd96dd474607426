"""PostgreSQL: every list reads a bounded number of rows where there are many, and says the same."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.models import User
from files.access.principals import Person
from files.lists import contents, paging, places, recent, shared, trash
from files.lists.contents import Order
from files.models import FileRecord, Folder, Grant, RecentFile, StoredObject
from files.tree import placing
from tests.audit.databases import as_default
from tests.files import trees
from tests.files.test_models import placed
from tests.integration.postgresql import server
from tests.integration.test_plans_postgresql import most_rows

SIZE = 20_000
BOUND = 2_000
"""Rows that the busiest step of a page may read: of 50 rows, of some that are looked at beside
them, and what each is asked about."""


class World:
    """A folder with many files; a reader was granted each through one of five groups."""

    def __init__(self) -> None:
        self.owner = User.objects.create(username="owner")
        self.reader = User.objects.create(username="reader")
        groups = Group.objects.bulk_create([Group(name=f"g{number}") for number in range(5)])
        self.reader.groups.set(groups)
        self.case = trees.folder(self.owner, "Case")
        for number in range(20):
            placing.add_folder(self.case, f"folder {number:03}", added_by=self.owner)
        first = placed(self.owner, self.case, name="report 0")
        rows = StoredObject.objects.bulk_create(
            StoredObject(
                file_id=uuid.uuid4(),
                object_name=uuid.uuid4().hex,
                state=StoredObject.State.LIVE,
                sealed=True,
                size=number % 7,
                object_size=185,
                master_key_id="key",
                wrapped_key=b"wrapped",
                stream_created_at=1,
            )
            for number in range(1, SIZE)
        )
        records = [
            FileRecord(
                id=row.file_id,
                name=f"report {number}",
                folded_name=f"report {number}",
                size=number % 7,
                owner=self.owner,
                folder=self.case,
                current=row,
                uploaded_by=self.owner,
            )
            for number, row in enumerate(rows, 1)
        ]
        FileRecord.objects.bulk_create(records)
        type(first.entry).objects.bulk_create(
            [type(first.entry)(parent=self.case, key=one.name, file=one) for one in records]
        )
        Grant.objects.bulk_create(
            Grant(file=one, group=groups[number % 5]) for number, one in enumerate(records)
        )
        RecentFile.objects.bulk_create(
            RecentFile(user=self.owner, file=one, way="added") for one in records
        )
        gone = [one.pk for one in records[: SIZE // 20]]
        type(first.entry).objects.filter(file__in=gone).delete()
        FileRecord.objects.filter(pk__in=gone).update(
            folder=trees.folder(self.owner, "Elsewhere"),
            trashed_at=timezone.now(),
            trashed_by=self.owner,
        )
        Grant.objects.create(folder=self.case, user=self.reader, level="manage")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


@pytest.fixture(scope="module")
def world(django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with (
        server(migrated=True) as configuration,
        django_db_blocker.unblock(),
        as_default(configuration),
    ):
        yield World()


def in_pages(page_of: Callable[..., Any], pages: int = 3) -> list[Any]:
    """The rows of the first pages; of each the rows that its busiest step reads are bounded."""
    rows: list[Any] = []
    cursor = ""
    for _ in range(pages):
        found: list[Any] = []

        def read(cursor: str = cursor, found: list[Any] = found) -> None:
            found.append(page_of(cursor=cursor))

        assert most_rows(read) <= BOUND, cursor
        rows += found[0].rows
        cursor = found[0].next_cursor
        if not cursor:
            break
    return rows


@pytest.mark.parametrize("sort", ["name", "-name", "size", "-size", "time", "-time"])
@pytest.mark.parametrize("who", ["owner", "reader"])
def test_a_folder_in_every_order(world: World, sort: str, who: str) -> None:
    person, order = Person(User.objects.get(username=who)), Order.of(sort)
    assert order is not None
    rows = in_pages(partial(contents.page_of, person, world.case, order=order, length=50))
    assert len(rows) == 150
    names = [row.item.name for row in rows]
    assert len(set(names)) == 150
    assert all(isinstance(row.item, Folder) for row in rows[:20])
    sizes = [row.item.size for row in rows[20:]]
    if sort.endswith("size"):
        assert sizes == sorted(sizes, reverse=sort.startswith("-"))


def test_what_was_shared_recent_and_the_trash(world: World) -> None:
    reader, owner = Person(world.reader), Person(world.owner)
    for down in (True, False):
        found = in_pages(partial(shared.page_of, reader, down=down, length=50), 15)
        assert found
        assert len({row.item.pk for row in found}) == len(found)
        assert in_pages(partial(recent.page_of, owner, down=down, length=50), 30)
        put_away = in_pages(partial(trash.page_of, owner, down=down, length=50))
        assert len(put_away) == 150
    assert in_pages(partial(trash.page_of, reader, length=50), 1) == []


@pytest.mark.parametrize("query", ["report 19999", "nothing", "rt", "folder"])
def test_a_search_everywhere_and_in_a_folder(
    world: World, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "WALKED", 100)
    monkeypatch.setattr(paging, "PROPOSED", 100)
    for user in (world.owner, world.reader):
        for within in (None, world.case):
            rows = in_pages(partial(paging.page_of, user, query=query, within=within, length=50), 2)
            expected = {"report 19999": 1, "nothing": 0, "folder": 20}
            assert len(rows) == expected.get(query, len(rows))


def test_places_to_move_to(world: World) -> None:
    reader = Person(world.reader)
    assert places.folders_in(reader, world.case)[0]
    assert places.tops(reader) == [world.case]
    assert places.way_to(reader, world.case.pk) == [world.case]
