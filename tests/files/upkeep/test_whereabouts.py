"""Whoever moves things past the vault is found: a place in a tree says who may read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from files.access.principals import Person
from files.folders import making, moving, ownership, purging, trash
from files.models import Conflict, FileRecord, Folder, Grant
from files.records import derived
from files.sharing import granting
from files.tree import placing
from files.upkeep import accounting, whereabouts
from files.vault import storing, versions
from files.vault.destinations import Destination
from tests.files.conftest import CONTENT, give


@dataclass
class Tree:
    """Alice's: a file in the folder `cases`, which is granted to Bob; another in her root."""

    cases: Folder
    inner: Folder
    file: FileRecord
    other: FileRecord
    grant: Grant


@pytest.fixture
def tree(alice: User, bob: User, root: User, s3: object) -> Tree:
    def make(parent: Folder, name: str) -> Folder:
        return making.create_folder(parent, name, by=Person(alice), actor=alice)

    cases = make(placing.root_of(alice), "Cases")
    inner = make(cases, "12")
    file = storing.store(alice, [CONTENT], name="fox.txt")
    moving.move(file, inner, by=Person(alice), actor=alice)
    other = storing.store(alice, [CONTENT], name="other.txt")
    grant = granting.grant(Grant(folder=cases, user=bob, level="add"), actor=root)
    file.refresh_from_db()
    return Tree(cases, inner, file, other, grant)


def found() -> list[str]:
    return list(accounting.differences())


def test_everything_that_use_cases_do_is_accounted_for(
    tree: Tree, alice: User, bob: User, root: User
) -> None:
    by_bob = making.create_folder(tree.cases, "Bob's", by=Person(bob), actor=bob)
    assert by_bob.owner == alice
    trash.put_away(by_bob, by=Person(bob), actor=bob)
    assert found() == []
    trash.restore(by_bob, by=Person(alice), actor=alice)
    ownership.transfer_tree(tree.cases, to=bob, actor=root)
    for one in (tree.cases, tree.inner, tree.file):
        one.refresh_from_db()
    assert tree.file.owner == bob
    assert found() == []
    moving.move(tree.file, placing.root_of(bob), by=Person(bob), actor=bob)
    trash.put_away(tree.cases, by=Person(bob), actor=bob)
    ownership.transfer([tree.file, tree.other], to=root, actor=root)
    ownership.transfer_tree(Folder.objects.get(pk=tree.cases.pk), to=alice, actor=root)
    assert found() == []
    trash.restore(Folder.objects.get(pk=tree.cases.pk), by=Person(alice), actor=alice)
    granting.revoke(tree.grant, actor=root)
    assert found() == []


def test_what_is_added_versioned_and_ended_for_good_is_accounted_for(
    tree: Tree, alice: User, bob: User, settings: Any
) -> None:
    there = Destination(tree.inner, Conflict.VERSION)
    given = storing.store(bob, [CONTENT], name="given.txt", destination=there)
    assert (given.owner, given.folder) == (alice, tree.inner)
    again = storing.store(bob, [CONTENT * 2], name="GIVEN.txt", destination=there)
    assert again.pk == given.pk
    beside = Destination(tree.inner, Conflict.RENAME)
    assert storing.store(alice, [CONTENT], name="fox.txt", destination=beside).name == "fox (2).txt"
    assert found() == []
    assert list(derived.out_of_step()) == []
    [kept] = versions.of(again)
    versions.restore(again, kept.version, by=Person(alice), actor=alice)
    [kept] = versions.of(again)
    versions.delete(again, kept.version, by=Person(alice), actor=alice)
    trash.put_away(tree.inner, by=Person(alice), actor=alice)
    assert found() == []
    inner = Folder.objects.get(pk=tree.inner.pk)
    purging.delete_for_good(inner, by=Person(alice), actor=alice)
    assert not FileRecord.objects.filter(pk=given.pk).exists()
    assert found() == []
    assert list(derived.out_of_step()) == []


def test_a_file_of_code_that_knew_no_folders_is_accounted_for(tree: Tree) -> None:
    placing.leave(tree.other)
    FileRecord.objects.filter(pk=tree.other.pk).update(folder=None)
    assert found() == []


def _mallory() -> User:
    return User.objects.get(username="mallory")


def _hand_over(tree: Tree) -> None:
    placing.hand_over(tree.cases, _mallory())


WRITES: dict[str, tuple[str, Callable[[Tree], Any]]] = {
    "a file below what is granted": (
        "place",
        lambda tree: FileRecord.objects.filter(pk=tree.other.pk).update(folder=tree.cases),
    ),
    "a file out of its folder": (
        "place",
        lambda tree: FileRecord.objects.filter(pk=tree.file.pk).update(
            folder=placing.root_of(tree.file.owner)
        ),
    ),
    "a file in another's folder": (
        "owner",
        lambda tree: FileRecord.objects.filter(pk=tree.other.pk).update(
            folder=placing.root_of(_mallory()), owner=_mallory()
        ),
    ),
    "a folder under another": (
        "place",
        lambda tree: placing.graft(tree.inner, placing.root_of(tree.inner.owner)),
    ),
    "a folder that nobody made": (
        "owner",
        lambda tree: placing.add_folder(tree.cases, "New", added_by=None),
    ),
    "a file awake": (
        "put away",
        lambda tree: FileRecord.objects.filter(pk=tree.file.pk).update(trashed_at=timezone.now()),
    ),
    "a folder put away": (
        "put away",
        lambda tree: Folder.objects.filter(pk=tree.inner.pk).update(trashed_at=timezone.now()),
    ),
    "a tree of another": ("owner", _hand_over),
    "a grant on a folder": ("being there", lambda tree: give(tree.inner, _mallory())),
    "a grant of another folder": (
        "folder",
        lambda tree: Grant.objects.filter(pk=tree.grant.pk).update(folder=tree.inner),
    ),
    "a wider grant": (
        "level",
        lambda tree: Grant.objects.filter(pk=tree.grant.pk).update(level="manage"),
    ),
}


@pytest.mark.parametrize("what", WRITES)
def test_what_is_written_past_the_vault_is_found(tree: Tree, mallory: User, what: str) -> None:
    assert found() == []
    said, write = WRITES[what]
    write(tree)
    told = found()
    assert told
    assert all("no event accounts for its" in one for one in told)
    assert any(said in one for one in told)


def test_a_folder_that_was_put_away_does_not_wake_by_itself(tree: Tree, alice: User) -> None:
    trash.put_away(tree.inner, by=Person(alice), actor=alice)
    Folder.objects.filter(pk=tree.inner.pk).update(trashed_at=None)
    assert found() == [f"folder {tree.inner.pk}: no event accounts for its being awake"]


def test_it_takes_the_same_queries_for_any_number(tree: Tree, alice: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert found() == []
        return len(seen)

    few = queries()
    for number in range(20):
        made = making.create_folder(tree.cases, f"New {number}", by=Person(alice), actor=alice)
        trash.put_away(made, by=Person(alice), actor=alice)
    assert queries() == few


def test_a_log_that_tells_of_nothing_is_not_listed_row_by_row(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "MOST", 2)
    for number in range(5):
        placing.add_folder(tree.cases, f"New {number}", added_by=None)
    told = found()
    assert len(told) == 3
    assert told[-1] == "and more: the first 2 were told"
    assert whereabouts.total() == 9
