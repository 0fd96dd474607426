"""The secret of a URL has at least 128 random bits, and is nowhere but in its URL."""

from __future__ import annotations

import math

from accounts.outside import capability


def test_it_is_long_enough_and_another_each_time() -> None:
    made = {capability.generate() for _ in range(50)}
    assert len(made) == 50
    assert all(capability.is_sound(one) for one in made)
    assert math.log2(len(capability.DIGITS)) * capability.LENGTH >= 128


def test_its_digest_says_nothing_of_it_and_takes_whatever_is_asked_for() -> None:
    text = capability.generate()
    assert text not in capability.digest_of(text)
    assert len(capability.digest_of("\udcff")) == len(capability.digest_of(text)) == 64
    assert not capability.is_sound(text + "a")
    assert not capability.is_sound("-" * capability.LENGTH)
