"""Which passphrases are good enough for a file's key."""

from __future__ import annotations

import pytest

from files.errors import WeakPassphrase
from files.keys import passphrases
from tests.files.conftest import PASSPHRASE


@pytest.mark.parametrize(
    "good",
    [
        PASSPHRASE,
        "correct horse battery staple",
        "der blaue Elefant tanzt",
        "x8#Lq9!vT2mZ",
        "\u043a\u043e\u0440\u043e\u0432\u0430 \u0438 \u0442\u0440\u0430\u043a\u0442\u043e\u0440",
        PASSPHRASE * 30,
    ],
)
def test_good_ones_are_taken(good: str) -> None:
    passphrases.check(good, known=["alice", "example.org", ""])


@pytest.mark.parametrize(
    ("weak", "words"),
    [
        ("", "12 characters or more"),
        ("x8#Lq9!vT2m", "12 characters or more"),
        ("           x8#Lq9           ", "12 characters or more"),
        ("password1234", "very common"),
        ("qwertyuiop[]", "Straight rows"),
        ("aaaaaaaaaaaaaaaaaaaa", "Repeats"),
        ("abcabcabcabcabc", "Repeats"),
        ("15021987150219", "easy to guess"),
        ("x" * 1025, "at most"),
    ],
)
def test_weak_ones_are_refused_with_a_reason(weak: str, words: str) -> None:
    with pytest.raises(WeakPassphrase, match=words):
        passphrases.check(weak)


def test_ones_own_name_makes_none() -> None:
    mine = "zebrafinch.wexford"
    passphrases.check(mine)
    with pytest.raises(WeakPassphrase):
        passphrases.check(mine, known=["zebrafinch", "wexford"])


def test_the_refusal_does_not_repeat_it() -> None:
    with pytest.raises(WeakPassphrase) as refused:
        passphrases.check("password1234")
    assert "password1234" not in str(refused.value)
