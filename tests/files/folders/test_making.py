"""Making folders, and naming what is in them."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from files.access import Person
from files.errors import ItemGone, MayNotAdd, NameTaken
from files.folders import making
from files.models import Entry, FileRecord, Folder
from files.records.names import BadName
from files.tree import placing
from tests.files.conftest import give

pytestmark = pytest.mark.django_db


def new(parent: Folder, name: str, by: User) -> Folder:
    return making.create_folder(parent, name, by=Person(by), actor=by)


def test_whoever_adds_a_folder_to_anothers_gives_it(alice: User, bob: User, events: Any) -> None:
    case = new(placing.root_of(alice), "Case", alice)
    give(case, bob, level="add")
    inner = new(case, "Letters", bob)
    assert (inner.owner, inner.added_by) == (alice, bob)
    [_, event] = events("folder_created")
    assert (event["actor"], event["owner_id"]) == ("bob", alice.pk)
    assert (event["folder_id"], event["parent_id"]) == (str(inner.pk), str(case.pk))


@pytest.mark.parametrize("level", [None, "download"])
def test_nobody_adds_where_they_may_not(alice: User, bob: User, level: str | None) -> None:
    case = new(placing.root_of(alice), "Case", alice)
    if level:
        give(case, bob, level=level)
    with pytest.raises(MayNotAdd):
        new(case, "x", bob)
    assert Folder.objects.filter(parent=case).count() == 0


@pytest.mark.parametrize("name", ["", " ", "..", "a/b", "a\\b", "x" * 256])
def test_a_folder_needs_a_name_that_is_one(alice: User, name: str) -> None:
    with pytest.raises(BadName, match="folder"):
        new(placing.root_of(alice), name, alice)


def test_a_renamed_file_is_the_same_file(alice: User, record: FileRecord, events: Any) -> None:
    before: dict[str, Any] = {**FileRecord.objects.values().get(pk=record.pk)}
    making.rename(record, "Fuchs.txt", by=Person(alice), actor=alice)
    after: dict[str, Any] = {**FileRecord.objects.values().get(pk=record.pk)}
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"name", "folded_name", "plain_name"}
    assert Entry.objects.get(file=record).key == "fuchs.txt"
    assert [event["file_id"] for event in events("renamed")] == [record.pk]


def test_another_case_of_the_same_name_is_no_other_name(alice: User, record: FileRecord) -> None:
    making.rename(record, "FOX.txt", by=Person(alice), actor=alice)
    assert FileRecord.objects.get(pk=record.pk).name == "FOX.txt"
    assert Entry.objects.get(file=record).key == "fox.txt"


def test_a_name_that_is_taken_is_refused(alice: User, record: FileRecord, events: Any) -> None:
    new(placing.root_of(alice), "Letters", alice)
    with pytest.raises(NameTaken, match="letters"):
        making.rename(record, "letters", by=Person(alice), actor=alice)
    assert FileRecord.objects.get(pk=record.pk).name == "fox.txt"
    assert events("renamed") == []


@pytest.mark.parametrize(("level", "may"), [("download", False), ("add", False), ("manage", True)])
def test_who_manages_renames(alice: User, bob: User, level: str, may: bool) -> None:
    case = new(placing.root_of(alice), "Case", alice)
    inner = new(case, "Letters", alice)
    give(case, bob, level=level)
    if may:
        making.rename(inner, "Mail", by=Person(bob), actor=bob)
        assert Folder.objects.get(pk=inner.pk).name == "Mail"
    else:
        with pytest.raises(ItemGone):
            making.rename(inner, "Mail", by=Person(bob), actor=bob)


def test_a_root_has_no_name_to_change(alice: User) -> None:
    with pytest.raises(ItemGone):
        making.rename(placing.root_of(alice), "x", by=Person(alice), actor=alice)
