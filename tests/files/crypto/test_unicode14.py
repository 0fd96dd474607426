"""Text that is kept or derived from comes out the same on any Python."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.crypto import unicode14
from files.crypto.passphrase import normalise

every = st.text(st.characters(exclude_categories=[]))
IS_14 = unicodedata.unidata_version == "14.0.0"


def test_the_table_is_that_of_the_version() -> None:
    known = {code for code in range(0x110000) if unicode14.knows(chr(code))}
    today = {code for code in range(0x110000) if unicodedata.category(chr(code)) != "Cn"}
    assert known <= today
    assert (known == today) == IS_14


@pytest.mark.skipif(not IS_14, reason="this Python knows another version")
@given(every)
@example("a\U0001fa77\u0301")
@example("\U0001e4ec\u0316\u0301")
def test_it_is_what_a_python_of_that_version_does(text: str) -> None:
    assert unicode14.nfc(text) == unicodedata.normalize("NFC", text)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    assert unicode14.fold(text) == folded


@given(every)
def test_both_are_done_once_and_for_all(text: str) -> None:
    assert unicode14.nfc(unicode14.nfc(text)) == unicode14.nfc(text)
    assert unicode14.fold(unicode14.fold(text)) == unicode14.fold(text)


@pytest.mark.parametrize(
    "young",
    [
        "\ua7cb",  # A capital letter of Unicode 16, with a small one that is older
        "\U00010d50",  # A capital letter of Unicode 16
        "\U000105d2\u0307",  # Composed since Unicode 16
        "\U0001e4ec",  # A mark of Unicode 15
        "\U0001e030",  # A compatibility form of Unicode 15
    ],
)
def test_what_is_younger_stays_as_it_is(young: str) -> None:
    assert unicode14.fold(f"A{young}E\u0301") == f"a{young}\u00e9"
    assert unicode14.nfc(f"A{young}E\u0301") == f"A{young}\u00c9"
    assert normalise(f" {young}E\u0301 ") == f"{young}\u00c9"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("M\u00fcller MU\u0308LLER", "muller muller"),
        ("\u0130stanbul ISTANBUL \u0131s\u0131", "istanbul istanbul isi"),
        ("Stra\u00dfe STRA\u1e9eE", "strasse strasse"),
        ("\u0141\u00f3d\u017a", "lodz"),
        (
            "\u00c6r\u00f8sk\u00f8bing, \u0152uvre, \u01fdon, \u00de\u00f3r",
            "aeroskobing, oeuvre, aeon, thor",
        ),
        ("\u0110\u00e0 N\u1eb5ng, Vi\u1ec7t Nam", "da nang, viet nam"),
        ("\u0126al, \u0166, \u014aorth", "hal, t, north"),
        (
            "\u039f\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c2",
            "\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c3",
        ),
        ("\u0401\u043b\u043a\u0438\u0439", "\u0435\u043b\u043a\u0438\u0438"),
        ("\uff26\uff55\uff4c\uff4c \ufb01n", "full fin"),
    ],
)
def test_what_people_type_who_have_no_accents_is_the_same(text: str, plain: str) -> None:
    assert unicode14.plain(text) == plain
    assert unicode14.plain(unicodedata.normalize("NFD", text)) == plain


@pytest.mark.parametrize(
    "text",
    [
        "\ud55c\uae00 \uac00\ub098\ub2e4",  # Hangul, whose syllables are taken apart on the way
        "\u0939\u093f\u0928\u094d\u0926\u0940",  # Vowel signs of Devanagari
        "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e49",  # Tones of Thai
        "\u30ac\u30d1\u3073",  # Sounds of Kana
        "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",  # Points of Hebrew
        "\u0639\u064e\u0631\u064e\u0628",  # Those of Arabic
        "\u2260 \u2209",  # Signs that are struck through
    ],
)
def test_marks_that_make_another_letter_stay(text: str) -> None:
    assert unicode14.plain(text) == unicode14.fold(text)
    assert len(unicodedata.normalize("NFC", unicode14.plain(text))) == len(unicode14.plain(text))


@given(every)
def test_what_is_plain_stays_so_and_no_case_is_left(text: str) -> None:
    plain = unicode14.plain(text)
    assert unicode14.plain(plain) == plain
    assert unicode14.plain(unicodedata.normalize("NFC", text)) == plain


@given(st.text(st.characters(max_codepoint=0x24F), max_size=12), st.integers(0, 12))
def test_a_part_of_a_text_is_in_it_however_it_is_typed(text: str, cut: int) -> None:
    for part in (text[:cut], text[cut:]):
        for typed in (part, part.upper(), unicode14.plain(part)):
            for word in unicode14.plain(typed).split():
                assert word in unicode14.plain(text)
