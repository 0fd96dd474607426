"""A tree for one archive: portable paths, told apart, whole, and what was left out."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.access.principals import Person
from files.lists import trees
from files.lists.trees import tree_of, tree_of_chosen
from files.models import Folder, StoredObject
from files.tree import placing
from tests.files.test_models import placed, stored


@pytest.fixture
def case(alice: User) -> Folder:
    """Alice's folder Case."""
    return placing.add_folder(placing.root_of(alice), "Case", added_by=alice)


def test_paths_are_relative_portable_and_told_apart(alice: User, case: Folder) -> None:
    con = placing.add_folder(case, "con", added_by=alice)
    placing.add_folder(con, "empty?", added_by=alice)
    placed(alice, con, name="a:b.txt")
    placed(alice, con, name="a?b.txt")
    placed(alice, case, name="top")
    placed(alice, name="elsewhere")
    tree = tree_of(Person(alice), case)
    assert sorted(path for path, _ in tree.folders) == ["_con", "_con/empty_"] or sorted(
        path for path, _ in tree.folders
    ) == ["con_", "con_/empty_"]
    files = sorted(path.split("/")[-1] for path, _ in tree.files)
    assert files == ["a_b (2).txt", "a_b.txt", "top"]
    assert (tree.left_out, tree.is_whole, tree.size) == ([], True, 3)


def test_what_the_server_cannot_open_is_left_out_and_named(alice: User, case: Folder) -> None:
    below = placing.add_folder(case, "Below", added_by=alice)
    placed(alice, below, name="held", custody="held")
    placed(alice, case, name="damaged", current=stored(state=StoredObject.State.DAMAGED))
    placed(alice, case, name="not included.TXT")
    tree = tree_of(Person(alice), case)
    assert [path for path, _ in tree.files] == ["not included (2).TXT"]
    assert {(path, why.split(":")[0]) for path, _, why in tree.left_out} == {
        ("Below/held", "it needs its own key"),
        ("damaged", "it is damaged in the store"),
    }
    assert "Below/held: it needs its own key" in tree.told()


def test_what_sleeps_and_what_one_may_not_see_is_not_in_it(
    alice: User, mallory: User, case: Folder
) -> None:
    below = placing.add_folder(case, "Below", added_by=alice)
    placed(alice, below)
    placed(alice, case, name="b", trashed_at=case.created_at)
    Folder.objects.filter(pk=below.pk).update(trashed_at=case.created_at)
    tree = tree_of(Person(alice), case)
    assert (tree.files, tree.folders) == ([], [])
    Folder.objects.filter(pk=below.pk).update(trashed_at=None)
    assert tree_of(Person(mallory), case).files == []
    assert len(tree_of(Person(alice), case).files) == 1


@pytest.mark.parametrize(("at_most", "whole"), [(4, True), (3, False)])
def test_more_than_there_may_be_is_not_begun(
    alice: User, case: Folder, monkeypatch: pytest.MonkeyPatch, at_most: int, whole: bool
) -> None:
    monkeypatch.setattr(trees, "AT_MOST", at_most)
    for number in range(2):
        placing.add_folder(case, str(number), added_by=alice)
        placed(alice, case, name=f"file {number}")
    assert tree_of(Person(alice), case).is_whole is whole


def test_it_takes_two_queries(
    alice: User, case: Folder, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(9):
        placed(alice, placing.add_folder(case, str(number), added_by=alice))
    with django_assert_num_queries(2):
        assert len(tree_of(Person(alice), case).files) == 9


def test_what_was_chosen_is_one_tree_and_nothing_is_in_it_twice(
    alice: User, bob: User, case: Folder, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    below = placing.add_folder(case, "Below", added_by=alice)
    inside = placed(alice, below, name="inside.txt")
    beside = placed(alice, case, name="beside.txt")
    alone = placed(alice, name="alone.txt")
    other = placed(alice, placing.add_folder(placing.root_of(alice), "Other", added_by=None))
    placed(alice, name="not chosen.txt")
    with django_assert_max_num_queries(3):
        tree = tree_of_chosen(Person(alice), [case, below], [alone, beside, inside, other])
    assert [path for path, _ in tree.folders] == ["Case", "Case/Below"]
    assert sorted(path for path, _ in tree.files) == [
        "Case/Below/inside.txt",
        "Case/beside.txt",
        "a.txt",
        "alone.txt",
    ]


def test_chosen_files_of_one_name_are_told_apart(alice: User, case: Folder) -> None:
    records = [placed(alice), placed(alice, case), placed(alice, custody="held", name="locked")]
    tree = tree_of_chosen(Person(alice), [], records)
    assert sorted(path for path, _ in tree.files) == ["a (2).txt", "a.txt"]
    assert [path for path, _, _ in tree.left_out] == ["locked"]


def test_too_much_that_was_chosen_is_no_tree(
    alice: User, case: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "AT_MOST", 2)
    for number in range(3):
        placed(alice, case, name=f"{number}")
    assert not tree_of_chosen(Person(alice), [case], []).is_whole
