"""Frames side by side in C and one by one in Python: the same bytes, the same refusals."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.crypto.lanes import MOST_MACS, Sha256Twice
from tests.files.crypto.frames import (
    Frame,
    Widths,
    frames,
    noise,
    opened_alike,
    sealed_alike,
    widths,
)
from tests.files.crypto.ways import native
from tests.files.fuzz.amount import examples
from tests.files.fuzz.edits import Edit, apply, edits

KEY = bytes(range(32))
MARKS = (0, 1, 8, 9, 24, 25, 41, 57, 73, 4096, 4096 + 25)
FULL = Frame(bytes(15), noise(1 << 18), bytes(16))

keys = st.binary(min_size=32, max_size=32)
times = st.integers(0, 2**64 - 1)


@given(keys, st.lists(frames, max_size=17), widths, times)
@example(KEY, [FULL] * 4, Widths(4, 2), 7)
@example(KEY, [FULL, Frame(bytes(15), b"", bytes(16)), FULL], Widths(8, 3), 7)
@examples(40)
def test_frames_are_sealed_and_opened_alike(
    key: bytes, some: list[Frame], side: Widths, timestamp: int
) -> None:
    tokens = sealed_alike(key, some, side, timestamp=timestamp)
    opened = opened_alike(key, tokens, side, timestamp=timestamp)
    assert opened == [one.prefix + one.payload for one in some]


@given(st.lists(st.tuples(frames, st.lists(edits(MARKS), max_size=2)), max_size=9), widths)
@examples(40)
def test_altered_frames_are_refused_alike(
    some: list[tuple[Frame, list[Edit]]], side: Widths
) -> None:
    tokens = sealed_alike(KEY, [one for one, _ in some], side, timestamp=7)
    altered = [apply(token, changes) for token, (_, changes) in zip(tokens, some, strict=True)]
    opened = opened_alike(KEY, altered, side, timestamp=7)
    for (one, _), was, token, found in zip(some, tokens, altered, opened, strict=True):
        assert isinstance(found, str) == (token != was)
        assert isinstance(found, str) or found == one.prefix + one.payload


@given(st.lists(st.binary(max_size=400), max_size=9), widths)
@examples(60)
def test_noise_is_refused_alike(tokens: list[bytes], side: Widths) -> None:
    assert all(isinstance(found, str) for found in opened_alike(KEY, tokens, side, timestamp=7))


@given(st.lists(st.binary(max_size=400), max_size=9), st.integers(0, 9))
@examples(60)
def test_digests_are_those_of_python(pieces: list[bytes], begin: int) -> None:
    twice, whole, since = Sha256Twice(native().library), b"", b""
    for number, piece in enumerate(pieces):
        if number == begin and len(whole) % 64 == 0:
            twice.begin()
            since = b""
        twice.update(piece)
        whole, since = whole + piece, since + piece
        assert twice.of_all() == hashlib.sha256(whole).digest()
    assert twice.since() == hashlib.sha256(since).digest()


@given(st.binary(max_size=160), st.lists(st.binary(max_size=260), max_size=6))
@examples(60)
def test_blocks_that_do_not_fit_their_states_are_refused(
    states: bytes, pieces: list[bytes]
) -> None:
    kept = bytearray(states)
    fit = len({len(piece) for piece in pieces}) == 1 and len(pieces[0]) % 64 == 0
    if fit and len(pieces) <= MOST_MACS and len(states) == 32 * len(pieces):
        native().library.digest(kept, tuple(pieces))
    else:
        with pytest.raises(ValueError, match="whole blocks"):
            native().library.digest(kept, tuple(pieces))
        assert kept == states
