"""Objects that were altered: a reader releases the original's bytes, in order, or nothing more."""

from __future__ import annotations

import hashlib
import io
import itertools
import uuid
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from files.crypto.errors import CryptoError, Damaged
from files.crypto.salvage import Expected, WholeObject, salvage
from files.crypto.stream.decryption import Decryptor
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD, TRAILER_LENGTH, frame_count
from tests.files.fuzz.amount import examples
from tests.files.fuzz.edits import Edit, apply, edits

SIZES = (0, 1, 15, 16, 1000, FRAME_PAYLOAD, FRAME_PAYLOAD + 1, 2 * FRAME_PAYLOAD + 77)
DEK = bytes(range(32))
CONTEXT = Context(uuid.UUID(int=1), uuid.UUID(int=2), 1_700_000_000)
KEYS = derive_keys(DEK, CONTEXT)
OTHER = Context(CONTEXT.file_id, uuid.UUID(int=3), CONTEXT.created_at)
MARKS = (0, 1, 9, 25, FRAME_LENGTH, 2 * FRAME_LENGTH, 3 * FRAME_LENGTH)
FROM_END = (0, 32, TRAILER_LENGTH, TRAILER_LENGTH + 32)


class Case(NamedTuple):
    """An object that claims to have `size` bytes of plaintext."""

    size: int
    data: bytes

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes for an object of {self.size}>"


@cache
def plain(size: int) -> bytes:
    return hashlib.shake_128(b"plain").digest(size)


@cache
def sealed(size: int, context: Context = CONTEXT) -> bytes:
    # IVs that repeat, in tests alone: the same frame is the same bytes wherever it is written.
    return b"".join(encrypt(DEK, context, [plain(size)], iv_for=lambda index: bytes([index] * 16)))


@cache
def pieces(size: int, context: Context = CONTEXT) -> list[bytes]:
    """Frames and trailer of an object."""
    data, frames = sealed(size, context), frame_count(size)
    ends = [*(FRAME_LENGTH * number for number in range(1, frames)), len(data) - TRAILER_LENGTH]
    return [data[a:b] for a, b in itertools.pairwise([0, *ends, len(data)])]


@st.composite
def rearranged(draw: st.DrawFn) -> Case:
    """Sound frames and trailers of this and other streams, in any order."""
    size = draw(st.sampled_from(SIZES[-3:]))
    own, other = pieces(size), pieces(size, OTHER)
    longer = pieces(SIZES[-1])
    chosen = draw(st.lists(st.sampled_from([*own, *own, *other, *longer]), max_size=4))
    return Case(size, b"".join([*chosen, own[-1]]))


@st.composite
def edited(draw: st.DrawFn) -> Case:
    size = draw(st.sampled_from(SIZES))
    data = sealed(size)
    marks = (*MARKS, *(len(data) - back for back in FROM_END))
    return Case(size, apply(data, draw(st.lists(edits(marks), min_size=1, max_size=3))))


altered = st.one_of(edited(), rearranged())
LONGEST = pieces(SIZES[-1])


def _released(source: WholeObject) -> tuple[bytes, bool]:
    """What it releases, and whether it came to its end."""
    out = b""
    try:
        for chunk in source.chunks():
            out += chunk
    except Damaged:
        return out, False
    return out, True


@given(altered)
@example(Case(0, b""))
@example(Case(0, bytes(TRAILER_LENGTH)))
@example(Case(1, sealed(1)[-TRAILER_LENGTH:]))
@example(Case(1000, sealed(1000) + sealed(1000)[-TRAILER_LENGTH:]))
@example(Case(1000, sealed(1000)[:-1]))
@example(Case(FRAME_PAYLOAD + 1, sealed(FRAME_PAYLOAD + 1)[FRAME_LENGTH:]))
@example(Case(FRAME_PAYLOAD, sealed(FRAME_PAYLOAD)[:FRAME_LENGTH] + sealed(FRAME_PAYLOAD)))
@example(Case(SIZES[-1], b"".join([LONGEST[1], LONGEST[0], *LONGEST[2:]])))
@example(Case(SIZES[-1], b"".join([LONGEST[0], LONGEST[0], *LONGEST[2:]])))
@example(Case(SIZES[-1], b"".join([pieces(SIZES[-1], OTHER)[0], *LONGEST[1:]])))
@examples(60)
def test_the_rescue_reader_releases_the_original_or_stops(case: Case) -> None:
    size, data = case
    for expected in (None, Expected(CONTEXT, size, KEYS.commitment)):
        try:
            reader = WholeObject(io.BytesIO(data), DEK, expected=expected)
        except CryptoError:
            continue
        out, whole = _released(reader)
        assert plain(size).startswith(out)
        assert whole == (data == sealed(size))


@given(altered)
@example(Case(SIZES[-1], b"".join([LONGEST[1], LONGEST[0], *LONGEST[2:]])))
@example(Case(SIZES[-1], b"".join([LONGEST[0], LONGEST[0], *LONGEST[2:]])))
@example(Case(SIZES[-1], b"".join([pieces(SIZES[-1], OTHER)[0], *LONGEST[1:]])))
@examples(60)
def test_a_frame_opens_as_it_was_written_or_not_at_all(case: Case) -> None:
    size, data = case
    decryptor = Decryptor(KEYS, CONTEXT, size)
    for index in range(frame_count(size)):
        begin = index * FRAME_LENGTH
        for end in (begin + FRAME_LENGTH, len(data) - TRAILER_LENGTH):
            token = data[begin : max(begin, end)]
            try:
                payload = decryptor.open_frame(index, token)
            except Damaged:
                continue
            assert payload == plain(size)[index * FRAME_PAYLOAD :][:FRAME_PAYLOAD]
            assert token == sealed(size)[begin : begin + len(token)]
    trailer = data[-TRAILER_LENGTH:]
    try:
        decryptor.check_trailer(trailer)
    except Damaged:
        assert trailer != sealed(size)[-TRAILER_LENGTH:]
    else:
        assert trailer == sealed(size)[-TRAILER_LENGTH:]


@given(st.binary(max_size=400), st.sampled_from(SIZES), st.integers(0, 2))
@example(b"\x80" + bytes(72), 0, 0)
@examples(100)
def test_bytes_that_are_no_frame_open_nothing(token: bytes, size: int, index: int) -> None:
    decryptor = Decryptor(KEYS, CONTEXT, size)
    try:
        decryptor.open_frame(index, token)
    except (Damaged, ValueError):
        return
    raise AssertionError("a frame was forged")


@given(st.sampled_from(SIZES), st.lists(edits(MARKS), min_size=1, max_size=3))
@examples(60)
def test_salvage_finds_only_what_was_written(size: int, changes: Sequence[Edit]) -> None:
    data = apply(sealed(size), changes)
    for found in salvage(io.BytesIO(data), KEYS, CONTEXT):
        assert found.payload == plain(size)[found.index * FRAME_PAYLOAD :][:FRAME_PAYLOAD]
        assert found.final == (found.index == frame_count(size) - 1)
