"""Pages by keyset: cursors that round-trip, searches without surprises, bounds that lose nothing.

The quick way to a page is held against the plain rule, with bounds that few files reach.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.lists import paging
from files.lists.paging import _encode, matching, page_of, position_of, words_of
from files.models import FileRecord, Grant
from files.records.names import BadName, clean_name, plain_name
from files.records.ordering import FIRST, LAST
from files.tree import placing
from tests.files import trees
from tests.files.lists.pages import every_page
from tests.files.test_models import filed


@given(st.integers(FIRST, LAST))
def test_a_cursor_names_its_place_exactly(place: int) -> None:
    assert position_of(_encode(place)) == place


@given(st.text() | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_a_cursor_of_anybodys_making_is_read_or_ignored(cursor: str) -> None:
    found = position_of(cursor)
    assert found is None or FIRST <= found <= LAST


def all_pages(user: User, query: str, length: int) -> list[FileRecord]:
    """Every page in turn; no more than there can be."""
    found = every_page(
        lambda cursor: page_of(user, query=query, cursor=cursor, length=length), at_most=40
    )
    assert all(len(page.records) <= length for page in found)
    assert all(page.is_cut <= bool(page.next_cursor) for page in found)
    return [record for page in found for record in page.records]


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_pages_cover_everything_once(alice: User, length: int) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    for number in range(5):
        filed(alice, created_at=at + timedelta(microseconds=number // 2))
    assert all_pages(alice, "", length) == list(FileRecord.objects.order_by("-place"))
    pages, cursor = 0, ""
    while cursor or not pages:
        cursor, pages = page_of(alice, cursor=cursor, length=length).next_cursor, pages + 1
    assert pages == -(-5 // length)


@pytest.mark.parametrize("query", ["%", "_", "\\", "'", '"', "a\x00b", "\ufdfa" * 200, "AND", "n*"])
@pytest.mark.parametrize("walked", [1, 2000])
def test_a_search_takes_any_text_as_it_is(
    alice: User, query: str, walked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "WALKED", walked)
    filed(alice, name="plain.txt")
    filed(alice, name="other.txt")
    assert all_pages(alice, query, 5) == []
    assert all_pages(alice, query * 3, 5) == []


def test_a_search_for_nothing_finds_everything(alice: User) -> None:
    record = filed(alice)
    for query in ("", "  ", "\x00", "\u3000"):
        assert page_of(alice, query=query, length=5).records == [record]


SPELT = [
    ("M\u00fcller.pdf", "muller", "M\u00dcLLER"),
    ("\u0130stanbul.txt", "istanbul", "\u0131STANBUL"),
    ("Stra\u00dfe 1", "strasse", "STRA\u1e9eE"),
    ("\u0141\u00f3d\u017a", "lodz", "\u0142\u00f3d\u017a"),
    ("\u00c6r\u00f8sk\u00f8bing", "aeroskobing", "\u00e6r\u00f8"),
    ("re\u0301sume\u0301", "resume", "r\u00e9sum"),
    ("\ud55c\uae00.hwp", "\ud55c", "\u1112\u1161\u11ab\uae00"),
]
"""A name, and two ways in which people look for it."""


@pytest.mark.parametrize(("name", "bare", "other"), SPELT)
@pytest.mark.parametrize("walked", [0, 1000])
def test_a_search_forgives_accents_and_case(
    alice: User, name: str, bare: str, other: str, walked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of files by the index and without it, and of folders."""
    folder = trees.folder(alice, name)
    monkeypatch.setattr(paging, "WALKED", walked or 1)
    record = filed(alice, name=name)
    newer = filed(alice, name="unlike")
    for query in (bare, other, name):
        assert all_pages(alice, query, 5) == [record]
        assert page_of(alice, query=query, length=5).rows[0].item == folder
    placing.put(newer, folder, name)
    assert all_pages(alice, bare, 5) == [newer, record]


def test_a_name_of_which_accents_alone_change_is_found(alice: User) -> None:
    folder = trees.folder(alice, "Muller")
    record = trees.put(filed(alice, name="Muller"), folder)
    for item in (record, folder):
        placing.put(item, placing.root_of(alice) if item == folder else folder, "M\u00fcller")
    found = page_of(alice, query="muller", length=5)
    assert [row.item for row in found.rows] == [folder, record]


LETTERS = "ab1\u00e4\u6f22. -%_\\\"'"
NAMES = st.lists(st.text(LETTERS, min_size=1, max_size=9), max_size=9)
QUERIES = st.text(LETTERS + "A ", max_size=6)


class TheQuickWay(TestCase):
    """Every page of a search, with any bounds, has what the plain rule has, in its order."""

    numbers = count()

    @given(
        names=NAMES,
        ways=st.lists(st.integers(0, 4), min_size=9, max_size=9),
        query=QUERIES,
        walked=st.integers(1, 10),
        proposed=st.integers(1, 10),
        length=st.integers(1, 4),
    )
    @example(["aaa"] * 9, [1] + [0] * 7 + [1], "aaa", 1, 2, 2)
    @example(["0000007", "0000070", "0007000"], [0] * 9, "0000007", 1, 1, 2)
    @example(["aab", "abb", "b"], [0, 4, 2, *[0] * 6], "ab", 1, 10, 2)
    def test_finds_what_the_plain_rule_finds(
        self, names: list[str], ways: list[int], query: str, walked: int, proposed: int, length: int
    ) -> None:
        reader, other = (User.objects.create(username=f"u{next(self.numbers)}") for _ in range(2))
        team = Group.objects.create(name=f"g{next(self.numbers)}")
        reader.groups.add(team)
        for raw, way in zip(names, ways, strict=False):
            try:
                name = clean_name(raw)
            except BadName:
                continue
            record = filed(other if way else reader, name=name)
            if way in {1, 3}:
                Grant.objects.create(file=record, user=reader)
            if way in {2, 3}:
                Grant.objects.create(file=record, group=team)
        plain = matching(rule.visible_to(Person(reader)), words_of(query))
        expected = list(plain.order_by("-place"))
        mine = rule.visible_to(Person(reader))
        said = {
            r for r in mine if all(w in (r.plain_name or "") for w in plain_name(query).split())
        }
        assert set(expected) == said
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paging, "WALKED", walked)
            patch.setattr(paging, "PROPOSED", proposed)
            assert all_pages(reader, query, length) == expected


def test_a_page_that_both_bounds_cut_says_so_and_goes_on(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "WALKED", 2)
    monkeypatch.setattr(paging, "PROPOSED", 2)
    wanted = filed(alice, name="invoice 1")
    for number in range(3):
        filed(alice, name=f"letter {number}")
        filed(bob, name=f"invoice of bob {number}")
    page = page_of(alice, query="invoice", length=5)
    assert (page.records, page.is_cut) == ([], True)
    page = page_of(alice, query="invoice", cursor=page.next_cursor, length=5)
    assert page.records == [wanted]
    assert all_pages(alice, "invoice", 5) == [wanted]


def test_a_rare_word_is_found_at_once_however_far_back(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "WALKED", 2)
    wanted = filed(alice, name="The one.txt")
    for _ in range(9):
        filed(alice, name="another.txt")
    page = page_of(alice, query="ONE the", length=5)
    assert (page.records, page.next_cursor) == ([wanted], "")
    # Two letters are too short for the index: the search goes on page by page.
    assert page_of(alice, query="e.", length=5).is_cut
    assert all_pages(alice, "ne.t", 5) == [wanted]


@pytest.mark.parametrize("change", ["rename", "delete", "roll back"])
def test_the_index_follows_the_files(
    alice: User, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(paging, "WALKED", 1)
    record = filed(alice, name="before.txt")
    filed(alice, name="something else")

    def found(query: str) -> list[FileRecord]:
        return page_of(alice, query=query, length=5).records

    assert found("before") == [record]
    if change == "delete":
        record.delete()
        assert not found("before")
        return
    record.name = "after.txt"
    savepoint = connection.savepoint() if change == "roll back" else None
    record.save(update_fields=["name"])
    assert (found("before"), found("after")) == ([], [record])
    if savepoint:
        connection.savepoint_rollback(savepoint)
        assert (found("before"), found("after")) == ([record], [])
