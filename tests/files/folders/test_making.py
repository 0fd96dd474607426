"""Making folders, and naming what is in them."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from files.access.principals import Person
from files.errors import ItemGone, MayNotAdd, NameTaken, NotAFolder, TooDeep
from files.folders import making, trash
from files.models import Entry, FileRecord, Folder
from files.models.folders import DEEPEST
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


@pytest.mark.parametrize("name", ["AC/DC.mp3", "2026\\a.txt", "/", "a/"])
def test_a_typed_name_is_kept_whole_or_refused(alice: User, record: FileRecord, name: str) -> None:
    """What a browser sends of an upload may be a path; what somebody types is none."""
    with pytest.raises(BadName, match="cannot contain"):
        making.rename(record, name, by=Person(alice), actor=alice)
    assert FileRecord.objects.get(pk=record.pk).name == "fox.txt"


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


# --- Paths ----------------------------------------------------------------------------------------


def made(parent: Folder, path: str, by: User) -> Folder:
    return making.make_path(parent, path.split("/"), by=Person(by), actor=by)


def path(folder: Folder) -> str:
    return "/".join(one.name for one in placing.path_of(folder)[1:])


def test_of_a_path_what_is_missing_is_made(alice: User, events: Any) -> None:
    case = new(placing.root_of(alice), "Case 12", alice)
    deepest = made(placing.root_of(alice), "CASE 12/Scans/Ünïcödé", alice)
    assert path(deepest) == "Case 12/Scans/Ünïcödé"
    assert [one.pk for one in placing.path_of(deepest)][1] == case.pk
    # One event for each that was made, the first one for the one that was there.
    assert len(events("folder_created")) == 3
    assert made(placing.root_of(alice), "case 12/scans/ünïcödé", alice) == deepest
    assert len(events("folder_created")) == 3


def test_a_path_of_no_names_is_the_folder_itself(alice: User) -> None:
    root = placing.root_of(alice)
    assert making.make_path(root, [], by=Person(alice), actor=alice) == root


def test_a_path_that_is_there_costs_its_names_and_no_lock(
    alice: User, django_assert_num_queries: Any
) -> None:
    root = placing.root_of(alice)
    made(root, "a/b/c", alice)
    with django_assert_num_queries(4):  # A transaction would be a fifth.
        made(root, "a/b/c", alice)


def test_a_path_does_not_lead_through_a_file(alice: User, record: FileRecord) -> None:
    root = placing.root_of(alice)
    for way in ("FOX.txt", "fox.txt/below"):
        with pytest.raises(NotAFolder, match="is a file there"):
            made(root, way, alice)
    assert not Folder.objects.filter(parent__isnull=False).exists()


def test_of_a_path_that_is_refused_nothing_is_made(alice: User) -> None:
    root = placing.root_of(alice)
    for way in ("a/" * DEEPEST + "b", f"a/{'x' * 256}", "a/ ", "a/b\\c"):
        with pytest.raises((BadName, TooDeep)):
            made(root, way, alice)
    assert not Folder.objects.filter(parent__isnull=False).exists()
    deepest = made(root, "a/" * (DEEPEST - 1) + "b", alice)
    with pytest.raises(TooDeep):
        made(deepest, "c", alice)
    half = made(root, "half", alice)
    with pytest.raises(TooDeep):
        made(half, "c/" * (DEEPEST - 1) + "d", alice)
    # All or none of it.
    assert not Folder.objects.filter(parent=half).exists()


@pytest.mark.parametrize("level", [None, "download"])
def test_a_path_is_made_and_followed_only_by_who_may_add(
    alice: User, bob: User, level: str | None
) -> None:
    case = new(placing.root_of(alice), "Case", alice)
    new(case, "there", alice)
    if level:
        give(case, bob, level=level)
    for way in ("there", "there/x", "x"):
        with pytest.raises(MayNotAdd):
            made(case, way, bob)
    assert Folder.objects.filter(parent=case).count() == 1


def test_a_path_below_anothers_folder_is_given(alice: User, bob: User) -> None:
    case = new(placing.root_of(alice), "Case", alice)
    give(case, bob, level="add")
    deepest = made(case, "x/y", bob)
    assert (deepest.owner, deepest.added_by) == (alice, bob)
    Folder.objects.filter(pk=case.pk).delete()
    with pytest.raises(MayNotAdd):
        made(case, "z", bob)


def test_what_was_put_away_is_not_on_the_way(alice: User) -> None:
    root = placing.root_of(alice)
    away = made(root, "a", alice)
    trash.put_away(away, by=Person(alice), actor=alice)
    assert made(root, "a/b", alice).parent != away
