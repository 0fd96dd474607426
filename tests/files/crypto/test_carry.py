"""The carry opens where it was cut off, whole, and nowhere else."""

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.carry import open_carry, seal_carry
from files.crypto.errors import Damaged
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import FRAME_PAYLOAD
from files.crypto.tokens import TokenCodec

DEK = bytes(range(32))
CONTEXT = Context(uuid.UUID(int=1), uuid.UUID(int=2), 1_700_000_000)


@given(frames=st.integers(0, 2**32), plaintext=st.binary(max_size=200))
def test_what_is_sealed_opens_at_the_same_place(frames: int, plaintext: bytes) -> None:
    assert open_carry(DEK, CONTEXT, frames, seal_carry(DEK, CONTEXT, frames, plaintext)) == (
        plaintext
    )


def test_a_whole_frame_fits() -> None:
    plaintext = b"x" * FRAME_PAYLOAD
    assert open_carry(DEK, CONTEXT, 3, seal_carry(DEK, CONTEXT, 3, plaintext)) == plaintext


def test_it_says_nothing_of_the_plaintext() -> None:
    first, second = (seal_carry(DEK, CONTEXT, 3, b"the same words") for _ in range(2))
    assert first != second
    assert b"words" not in first


@pytest.mark.parametrize(
    ("dek", "context", "frames"),
    [
        (bytes(32), CONTEXT, 3),
        (DEK, replace(CONTEXT, file_id=uuid.UUID(int=9)), 3),
        (DEK, replace(CONTEXT, stream_id=uuid.UUID(int=9)), 3),
        (DEK, CONTEXT, 2),
        (DEK, CONTEXT, 4),
    ],
)
def test_it_opens_at_no_other_place(dek: bytes, context: Context, frames: int) -> None:
    token = seal_carry(DEK, CONTEXT, 3, b"words")
    with pytest.raises(Damaged):
        open_carry(dek, context, frames, token)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_may_change(place: int, bit: int) -> None:
    token = bytearray(seal_carry(DEK, CONTEXT, 3, b"words"))
    token[place % len(token)] ^= 1 << bit
    with pytest.raises(Damaged):
        open_carry(DEK, CONTEXT, 3, bytes(token))


@given(length=st.integers(0, 10_000))
def test_it_may_not_be_cut(length: int) -> None:
    token = seal_carry(DEK, CONTEXT, 3, b"words")
    with pytest.raises(Damaged):
        open_carry(DEK, CONTEXT, 3, token[: length % len(token)])


def test_a_frame_is_no_carry() -> None:
    frame_key = derive_keys(DEK, CONTEXT).frame_key
    token = TokenCodec(frame_key).seal(b"carry\0" + bytes(8) + b"words", timestamp=1)
    with pytest.raises(Damaged):
        open_carry(DEK, CONTEXT, 0, token)
