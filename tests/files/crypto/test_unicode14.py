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
