"""How tokens are written: vectors, and what is none."""

from __future__ import annotations

import pytest

from accounts import token_text

VECTORS = [
    "ssv_00000000000000000000000000000018B1sB",
    "ssv_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2G1oPa",
    "ssv_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz2wdCI8",
    "ssv_0123456789ABCDEFGHIJKLMNOPQRST3QDTRm",
]


@pytest.mark.parametrize("text", VECTORS)
def test_vectors(text: str) -> None:
    assert token_text.is_sound(text)
    assert token_text.checksum_of(text[:-6]) == text[-6:]


def test_a_new_one_is_sound_and_another_each_time() -> None:
    made = {token_text.generate() for _ in range(100)}
    assert len(made) == 100
    for text in made:
        assert len(text) == token_text.LENGTH == 40
        assert token_text.is_sound(text)


@pytest.mark.parametrize("place", range(4, 40))
def test_one_other_character_shows(place: int) -> None:
    text = VECTORS[3]
    other = "x" if text[place] != "x" else "y"
    assert not token_text.is_sound(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    "text",
    ["", "ssv_", VECTORS[0][:-1], VECTORS[0] + "0", VECTORS[0].upper(), "x" + VECTORS[0][1:]],
)
def test_what_is_none(text: str) -> None:
    assert not token_text.is_sound(text)


def test_a_digest_is_sha_256() -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert token_text.digest_of("abc") == known
