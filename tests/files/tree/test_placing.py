"""The rows of the tree: roots, names, ancestors, and what the database refuses of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from files.errors import IntoItself, NameTaken, NoSuchFolder, TooDeep
from files.models import Ancestry, Entry, Folder, Usage
from files.models.folders import DEEPEST
from files.records.names import MAX_NAME_BYTES, clean_name, entry_key, numbered
from files.tree import placing
from tests.files.test_models import filed

pytestmark = pytest.mark.django_db


def chain(owner: User, length: int) -> list[Folder]:
    """Folders one in another, from the root's own down."""
    found = [placing.root_of(owner)]
    for number in range(length):
        found.append(placing.add_folder(found[-1], f"f{number}", added_by=owner))
    return found[1:]


def test_a_person_has_one_root(alice: User, bob: User) -> None:
    root = placing.root_of(alice)
    assert placing.root_of(alice) == root != placing.root_of(bob)
    assert list(root.above.values_list("ancestor", "distance")) == [(root.pk, 0)]
    with pytest.raises(IntegrityError), transaction.atomic():
        Folder.objects.create(owner=alice)


@pytest.mark.parametrize("fields", [{"name": "named"}, {"trashed_at": "2030-01-01T00:00:00Z"}])
def test_a_root_has_no_name_and_is_never_put_away(alice: User, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Folder.objects.create(owner=alice, **fields)


def test_what_is_above_is_known_at_any_depth(alice: User) -> None:
    a, b, c = chain(alice, 3)
    assert placing.path_of(c) == [placing.root_of(alice), a, b, c]
    assert set(placing.below_or_at(a)) == {a.pk, b.pk, c.pk}
    assert placing.is_within(c, a)
    assert not placing.is_within(a, c)


def test_folders_stand_32_deep_and_no_deeper(alice: User) -> None:
    folders = chain(alice, DEEPEST)
    with pytest.raises(TooDeep):
        placing.add_folder(folders[-1], "one more", added_by=alice)
    other = chain(alice, 0) or [placing.add_folder(placing.root_of(alice), "other", added_by=alice)]
    inner = placing.add_folder(other[0], "inner", added_by=alice)
    with pytest.raises(TooDeep):
        placing.graft(other[0], folders[-2])
    placing.graft(inner, folders[-2])
    assert len(placing.path_of(inner)) == DEEPEST + 1


@pytest.mark.parametrize("distance", [1, 2])
def test_no_rows_of_the_database_make_a_circle(alice: User, distance: int) -> None:
    [folder] = chain(alice, 1)
    with pytest.raises(IntegrityError, match="ancestry"), transaction.atomic():
        Ancestry.objects.create(ancestor=folder, descendant=folder, distance=distance)


def test_no_rows_of_the_database_are_deeper(alice: User, bob: User) -> None:
    [folder], [other] = chain(alice, 1), chain(bob, 1)
    with pytest.raises(IntegrityError, match="ancestry_not_too_deep"), transaction.atomic():
        Ancestry.objects.create(ancestor=folder, descendant=other, distance=DEEPEST + 1)


def test_a_tree_moves_with_all_that_is_below_it(alice: User) -> None:
    a, b, c = chain(alice, 3)
    target = placing.add_folder(placing.root_of(alice), "target", added_by=alice)
    placing.graft(b, target)
    assert placing.path_of(c) == [placing.root_of(alice), target, b, c]
    assert set(placing.below_or_at(a)) == {a.pk}
    for into in (b, c):
        with pytest.raises(IntoItself):
            placing.graft(b, into)


# --- Names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["Report.PDF", "report.pdf", "REPORT.pdf"])
def test_a_path_means_one_thing(alice: User, other: str) -> None:
    """Files and folders share their names, whatever their case."""
    root = placing.root_of(alice)
    placing.enter(filed(alice, name="Report.pdf", folder=root), root)
    with pytest.raises(NameTaken):
        placing.add_folder(root, other, added_by=alice)
    assert placing.free_name(root, other) == numbered(other, 2)
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry.objects.create(
            parent=root, key=entry_key(other), file=filed(alice, name=other, folder=root)
        )


def test_of_nobody_there_is_no_tree_to_lock(alice: User) -> None:
    placing.root_of(alice)
    assert placing.lock_tree() == []


def test_a_name_is_given_once_and_a_file_has_one(alice: User) -> None:
    """What was done before in the same transaction stays."""
    root = placing.root_of(alice)
    first, second = filed(alice, name="a", folder=root), filed(alice, name="A", folder=root)
    elsewhere = placing.add_folder(root, "elsewhere", added_by=alice)
    with transaction.atomic():
        placing.enter(first, root)
        with pytest.raises(NameTaken):
            placing.enter(second, root)
        with pytest.raises(IntegrityError):
            placing.enter(first, elsewhere)
    assert list(Entry.objects.filter(file__isnull=False).values_list("parent", "file")) == [
        (root.pk, first.pk)
    ]


def test_an_entry_is_of_one_thing(alice: User) -> None:
    root = placing.root_of(alice)
    for fields in ({}, {"file": filed(alice), "folder": root}):
        with pytest.raises(IntegrityError, match="entry_of"), transaction.atomic():
            Entry.objects.create(parent=root, key="k", **fields)


def test_the_first_free_number_is_found_among_many(alice: User) -> None:
    root = placing.root_of(alice)
    names = ["a.txt", *(numbered("a.txt", n) for n in range(2, 500) if n != 450)]
    for name in names:
        record = filed(alice, name=name, folder=root)
        Entry.objects.create(parent=root, key=entry_key(name), file=record)
    assert placing.free_name(root, "A.txt") == "A (450).txt"


@given(st.text(max_size=300), st.integers(2, 10**6))
def test_a_numbered_name_is_a_name(text: str, number: int) -> None:
    try:
        name = clean_name(text)
    except ValueError:
        return
    found = numbered(name, number)
    assert clean_name(found) == found
    assert len(found.encode()) <= MAX_NAME_BYTES
    assert f"({number})" in found
    assert len(entry_key(found)) <= 3 * MAX_NAME_BYTES


@given(st.text(max_size=100))
def test_the_key_of_a_name_is_its_own_key(text: str) -> None:
    key = entry_key(text)
    assert entry_key(key) == key
    assert entry_key(text.upper().lower()) == entry_key(text.upper().lower().casefold())


# --- Locks ------------------------------------------------------------------------------------


def test_a_folder_that_sleeps_or_is_gone_is_not_to_be_had(alice: User) -> None:
    a, b = chain(alice, 2)
    assert placing.lock_folder(b) == b
    Folder.objects.filter(pk=a.pk).update(trashed_at="2030-01-01T00:00:00Z")
    for folder in (a, b):
        with pytest.raises(NoSuchFolder):
            placing.lock_folder(folder)
    Folder.objects.filter(pk=b.pk).delete()
    with pytest.raises(NoSuchFolder):
        placing.lock_folder(b)


def test_handing_a_tree_over_counts_for_both_owners(alice: User, bob: User) -> None:
    a, b = chain(alice, 2)
    filed(alice, name="x", folder=b, size=5, kept_bytes=2)
    placing.hand_over(a, bob)
    assert list(Usage.objects.order_by("pk").values_list("files", "bytes")) == [(0, 0), (1, 7)]
    assert set(Folder.objects.filter(owner=bob)) >= {a, b}
