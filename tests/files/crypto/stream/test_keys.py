"""The keys of a stream: known answers, and a context that is bound with every field."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.crypto.errors import Damaged, WrongKey
from files.crypto.stream.keys import Context, derive_keys, generate_dek
from tests.files.crypto.stream.known import CONTEXT, DEK, VECTORS


def test_known_context_and_keys() -> None:
    keys = derive_keys(DEK, CONTEXT)
    assert CONTEXT.encode().hex() == VECTORS["context_hex"]
    assert base64.urlsafe_b64encode(keys.frame_key).decode() == VECTORS["frame_key_b64"]
    assert keys.commitment.hex() == VECTORS["commitment_hex"]


@example(CONTEXT.file_id, CONTEXT.stream_id, 2**64 - 1)
@given(st.uuids(), st.uuids(), st.integers(0, 2**64 - 1))
def test_context_round_trip(file_id: UUID, stream_id: UUID, created_at: int) -> None:
    context = Context(file_id, stream_id, created_at)
    assert len(context.encode()) == 64
    assert Context.decode(context.encode()) == context


@pytest.mark.parametrize("at", [*range(16), *range(56, 64)])
def test_context_refuses_other_fixed_bytes(at: int) -> None:
    data = bytearray(CONTEXT.encode())
    data[at] ^= 1
    with pytest.raises(Damaged):
        Context.decode(bytes(data))


@pytest.mark.parametrize("data", [b"", CONTEXT.encode()[:-1], CONTEXT.encode() + b"\0"])
def test_context_refuses_another_length(data: bytes) -> None:
    with pytest.raises(Damaged):
        Context.decode(data)


def test_every_context_begins_with_the_magic() -> None:
    assert Context.magic() == CONTEXT.encode()[:16] == b"\x89SCS\r\n\x1a\n\1" + bytes(7)


@pytest.mark.parametrize("created_at", [-1, 2**64, 2**64 + 1])
def test_context_time_fits_its_field(created_at: int) -> None:
    with pytest.raises(ValueError, match="created_at"):
        replace(CONTEXT, created_at=created_at)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, file_id=UUID(int=9)),
        replace(CONTEXT, stream_id=UUID(int=9)),
        replace(CONTEXT, created_at=9),
    ],
)
def test_every_field_of_the_context_changes_the_keys(other: Context) -> None:
    keys = derive_keys(DEK, other)
    with pytest.raises(WrongKey):
        keys.check(derive_keys(DEK, CONTEXT).commitment)
    assert keys.frame_key != derive_keys(DEK, CONTEXT).frame_key


def test_keys_that_share_a_half_do_not_share_a_commitment() -> None:
    keys = derive_keys(DEK[:16] + bytes(16), CONTEXT)
    with pytest.raises(WrongKey):
        keys.check(derive_keys(DEK, CONTEXT).commitment)
    keys.check(keys.commitment)


def test_keys_are_not_shown() -> None:
    assert repr(derive_keys(DEK, CONTEXT)) == "StreamKeys()"


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_data_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        derive_keys(bytes(length), CONTEXT)


def test_generated_data_keys() -> None:
    assert len({generate_dek() for _ in range(8)}) == 8
    assert len(generate_dek()) == 32
