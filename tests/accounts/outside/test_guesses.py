"""Guesses are slowed for a door and an address; who comes to no door at all, in the end, too."""

from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from accounts.limits import LimitReached
from accounts.outside import guesses


class Wrong(Exception):
    pass


def from_(address: str) -> HttpRequest:
    return RequestFactory().post("/l/", REMOTE_ADDR=address)


def guess(address: str, door: str, *, right: bool = False) -> None:
    with guesses.counting(from_(address), door, Wrong):
        if not right:
            raise Wrong


def test_who_guesses_waits_and_others_do_not() -> None:
    for _ in range(5):
        with pytest.raises(Wrong):
            guess("192.0.2.1", "a")
    with pytest.raises(LimitReached) as refused:
        guess("192.0.2.1", "a", right=True)
    assert 0 < refused.value.wait <= 300
    guess("192.0.2.2", "a", right=True)
    guess("192.0.2.1", "b", right=True)


def test_many_addresses_gain_little() -> None:
    for number in range(60):
        with pytest.raises(Wrong):
            guess(f"192.0.2.{number}", "a")
    with pytest.raises(LimitReached):
        guess("192.0.2.99", "a")


def test_codes_are_asked_for_a_few_times_an_hour() -> None:
    for _ in range(5):
        guesses.note_asked(from_("192.0.2.1"), "a", "ann@example.org")
    with pytest.raises(LimitReached):
        guesses.note_asked(from_("192.0.2.2"), "a", "ann@example.org")
    guesses.note_asked(from_("192.0.2.2"), "a", "bob@example.org")


def test_who_comes_to_no_door_is_slowed_at_last() -> None:
    for _ in range(120):
        guesses.note_unknown(from_("192.0.2.1"))
    with pytest.raises(LimitReached):
        guesses.note_unknown(from_("192.0.2.1"))
