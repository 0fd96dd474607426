"""The search in trees: what is below shared folders, and in a folder and below, with any bounds."""

from __future__ import annotations

from itertools import count

import pytest
from django.contrib.auth.models import Group
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.lists import paging
from files.lists.paging import folders_named, matching, page_of, words_of
from files.models import FileRecord, Folder, Grant
from files.tree import placing
from tests.files import trees
from tests.files.conftest import give
from tests.files.lists.pages import every_page
from tests.files.test_models import placed


def found_by(user: User, query: str, length: int, within: Folder | None = None) -> list[FileRecord]:
    """The files of every page in turn."""
    found = every_page(
        lambda cursor: page_of(user, query=query, cursor=cursor, length=length, within=within),
        at_most=60,
    )
    return [record for page in found for record in page.records]


class TheQuickWay(TestCase):
    """Every page has what the plain rule has, in its order, also where folders are too many."""

    numbers = count()

    @settings(max_examples=settings().max_examples // 2)
    @given(
        folders=st.lists(st.integers(0, 5), min_size=1, max_size=6),
        shared=st.sets(st.integers(0, 6), max_size=2),
        files=st.lists(st.tuples(st.integers(0, 6), st.sampled_from("abc")), max_size=8),
        merged=st.integers(0, 7),
        walked=st.integers(1, 9),
        proposed=st.integers(1, 9),
        length=st.integers(1, 4),
        within=st.none() | st.integers(0, 6),
    )
    @example([0, 1, 2], {1}, [(3, "a"), (0, "a"), (2, "a")], 0, 9, 1, 1, None)
    def test_finds_what_the_plain_rule_finds(
        self,
        folders: list[int],
        shared: set[int],
        files: list[tuple[int, str]],
        merged: int,
        walked: int,
        proposed: int,
        length: int,
        within: int | None,
    ) -> None:
        reader, owner = (User.objects.create(username=f"u{next(self.numbers)}") for _ in range(2))
        tree = [placing.root_of(owner)]
        for number, parent in enumerate(folders):
            tree.append(placing.add_folder(tree[parent % len(tree)], f"f{number}", added_by=owner))
        for number in shared:
            if 0 < number < len(tree):
                give(tree[number], reader)
        for number, letter in files:
            placed(owner, tree[number % len(tree)], name=f"report {letter * 3}")
        placed(reader, name="report aaa of my own")
        plain = matching(rule.visible_to(Person(reader)), words_of("report aaa"))
        place = None
        if within is not None and within < len(tree):
            place = tree[within]
            plain = plain.filter(folder__in=placing.below_or_at(place))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paging, "MERGED_FOLDERS", merged)
            patch.setattr(paging, "WALKED", walked)
            patch.setattr(paging, "PROPOSED", proposed)
            found = found_by(reader, "report aaa", length, place)
        assert found == list(plain.order_by("-place"))


def test_a_short_word_in_more_folders_than_are_merged_finds_some_and_says_so(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = trees.folder(alice, "Case")
    for number in range(3):
        placed(alice, trees.folder(alice, "Case", str(number)), name="qz")
    give(case, bob)
    own = placed(bob, name="qz of my own")
    page = page_of(bob, query="qz", length=9)
    assert (len(page.records), page.left_out) == (4, False)
    monkeypatch.setattr(paging, "MERGED_FOLDERS", 2)
    page = page_of(bob, query="qz", length=9)
    assert page.left_out
    assert own in page.records
    assert len(page.records) == len(set(page.records)) == 4
    # In one of the folders all of it is found.
    assert not page_of(bob, query="qz", length=9, within=trees.folder(alice, "Case", "1")).left_out


def test_many_grants_of_few_folders_hide_nothing_without_saying_so(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, other = trees.folder(alice, "Case"), trees.folder(alice, "Other")
    for number in range(3):
        group = Group.objects.create(name=f"Team {number}")
        bob.groups.add(group)
        give(case, group)
        give(other, group)
    found = placed(alice, other, name="report")
    monkeypatch.setattr(paging, "GRANTS_READ", 2)
    assert page_of(bob, query="report", length=9).records == [found]
    words = words_of("other")
    assert folders_named(bob, words, None) == ([other], False)
    monkeypatch.setattr(paging, "FOLDERS_NAMED", 3)
    assert folders_named(bob, words, None)[1]


def test_folders_are_found_by_name_within_what_may_be_seen(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = trees.folder(alice, "Case")
    trees.folder(alice, "Case", "Straße der Akten")
    trees.folder(alice, "Akten, hidden")
    trees.folder(bob, "Meine AKTEN")
    words = words_of("akten")
    give(case, bob)
    found, left_out = folders_named(bob, words, None)
    assert ([one.name for one in found], left_out) == (["Meine AKTEN", "Straße der Akten"], False)
    assert [one.name for one in folders_named(bob, words_of("STRASSE"), case)[0]] == [
        "Straße der Akten"
    ]
    monkeypatch.setattr(paging, "FOLDERS_SHOWN", 1)
    found, left_out = folders_named(bob, words, None)
    assert (len(found), left_out) == (1, True)
    monkeypatch.setattr(paging, "FOLDERS_NAMED", 1)
    Grant.objects.all().delete()
    assert folders_named(alice, words, None)[1]
    Folder.objects.filter(pk=case.pk).update(trashed_at=case.created_at)
    assert folders_named(alice, words_of("strasse"), case) == ([], False)
