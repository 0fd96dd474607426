"""Where something is and where it could go, never above what one may see."""

from __future__ import annotations

from accounts.models import User
from files.access.principals import Person
from files.lists.places import folders_in, tops, way_to
from files.models import Folder
from files.tree import placing
from tests.files import trees
from tests.files.conftest import give


def names(folders: list[Folder]) -> list[str]:
    return [one.name for one in folders]


def test_the_way_begins_at_the_topmost_folder_that_may_be_seen(alice: User, bob: User) -> None:
    deep = trees.folder(alice, "a", "b", "c")
    give(trees.folder(alice, "a", "b"), bob)
    assert names(way_to(Person(alice), deep.pk)) == ["", "a", "b", "c"]
    assert names(way_to(Person(bob), deep.pk)) == ["b", "c"]
    assert way_to(Person(bob), None) == []
    Folder.objects.filter(name="b").update(trashed_at=deep.created_at)
    assert way_to(Person(bob), deep.pk) == []


def test_a_way_down_begins_where_one_may_add(alice: User, bob: User) -> None:
    give(trees.folder(alice, "readable"), bob)
    give(trees.folder(alice, "addable"), bob, level="add")
    give(trees.folder(alice, "ended"), bob, level="manage", revoked_at=trees.folder(bob).created_at)
    assert names(tops(Person(bob))) == ["", "addable"]


def test_folders_in_a_folder_are_those_that_may_be_seen(alice: User, bob: User) -> None:
    for name in ("b", "A", "c"):
        trees.folder(alice, "case", name)
    case = trees.folder(alice, "case")
    put_away = trees.folder(alice, "case", "c")
    placing.leave(put_away)
    Folder.objects.filter(pk=put_away.pk).update(trashed_at=case.created_at)
    assert (names(folders_in(Person(alice), case)[0]), folders_in(Person(alice), case)[1]) == (
        ["A", "b"],
        "",
    )
    assert folders_in(Person(bob), case)[0] == []
