"""Names on any system: cut where nobody sees it, told apart wherever a system could not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.crypto.portable import (
    clean_line,
    marked,
    portable_name,
    same_file,
    seen,
    shortened,
    split_ending,
    told_apart,
)
from files.crypto.rescue.names import safe_name
from tests.hostile import hostile

every = st.text(st.characters(exclude_categories=[]), max_size=300)
# What belongs to what is before it, what chooses forms, what hides.
tricky = st.text(
    st.sampled_from(
        "a \u0301\u200d\u200c\ufe0f\ufe0e\U0001f3f4\U000e0067\U000e007f\U0001f469\u180e\u1820\xad"
    )
)


@given(every | tricky | hostile)
@example("\u115f\u1160")
@example("a\ufe0f\xad\ufe0f")
@example("\u1820\ufe0f\u180e\u180e")
@example(" \ufe0f \ufe0f")
@example("\U0001f3f4\xad\U000e0067\U000e0062\U000e0065\U000e007f")
def test_a_clean_line_stays_as_it_is(raw: str) -> None:
    line = clean_line(raw)
    assert clean_line(line) == line
    assert marked(line, "?") == line
    assert unicodedata.is_normalized("NFC", line)


@given(every)
def test_no_character_that_has_no_meaning_yet_is_lost(raw: str) -> None:
    """Whatever this Python knows: assigned by a later version, it will be seen."""
    young = [
        char
        for char in raw
        if unicodedata.category(char) == "Cn"
        and not (0xFDD0 <= ord(char) <= 0xFDEF or ord(char) & 0xFFFE == 0xFFFE)
        # Reserved for characters that show nothing, for ever.
        and not (0xE0000 <= ord(char) <= 0xE0FFF or 0xFFF0 <= ord(char) <= 0xFFF8)
        and ord(char) != 0x2065
    ]
    kept = [char for char in clean_line(raw) if char in young]
    assert kept == young


@given(every | hostile, st.integers(40, 255))
def test_a_portable_name_fits_and_stays_as_it_is(raw: str, longest: int) -> None:
    name = portable_name(raw, longest=longest)
    assert 1 <= len(name.encode()) <= longest
    assert portable_name(name, longest=longest) == name
    assert seen(name).strip(". ")
    assert len(safe_name(raw).encode()) <= 200


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    "whole",
    [
        "e\u0323\u0302",
        FAMILY,
        ENGLAND,
        "\U0001f1e9\U0001f1ea",
        "\U0001f44d\U0001f3fd",
        "\u2764\ufe0f",
    ],
)
def test_a_name_is_cut_between_what_people_see(whole: str) -> None:
    stem = whole * 40
    for longest in range(60, 90):
        cut = shortened(stem, ".txt", longest=longest)
        assert len(cut.encode()) <= longest
        assert cut.removesuffix(".txt") == whole * cut.count(whole)
        assert longest - len(cut.encode()) < len(whole.encode())


def test_where_there_is_no_such_place_it_is_cut_all_the_same() -> None:
    assert shortened("e" + "\u0323" * 200, longest=9) == "e" + "\u0323" * 4


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.txt", ("a", ".txt")),
        ("a.tar.gz", ("a.tar", ".gz")),
        (".profile", (".profile", "")),
        ("a", ("a", "")),
        ("a.", ("a.", "")),
        ("a. a sentence that ends here", ("a. a sentence that ends here", "")),
    ],
)
def test_an_ending(name: str, parts: tuple[str, str]) -> None:
    assert split_ending(name) == parts


@pytest.mark.parametrize(
    ("names", "apart"),
    [
        (["a.txt", "A.TXT", "a.txt"], ["a.txt", "A (2).TXT", "a (3).txt"]),
        (["e\u0301", "\u00e9"], ["\u00e9", "\u00e9 (2)"]),
        (["a?", "a*", "a_"], ["a_", "a_ (2)", "a_ (3)"]),
        (["\u2764\ufe0f", "\u2764"], ["\u2764\ufe0f", "\u2764 (2)"]),
        (["stra\u00dfe", "STRASSE"], ["stra\u00dfe", "STRASSE (2)"]),
        (["a", "a (2)", "a"], ["a", "a (2)", "a (3)"]),
    ],
)
def test_names_are_told_apart(names: list[str], apart: list[str]) -> None:
    assert told_apart(names) == apart


@given(st.lists(every | hostile | st.sampled_from(["a", "A", "a (2)", "\u00c4", "a\u0308"])))
def test_no_two_are_one_file_anywhere(names: list[str]) -> None:
    apart = told_apart(names)
    assert len({same_file(name) for name in apart}) == len(names)
    assert [portable_name(name) for name in apart] == apart
