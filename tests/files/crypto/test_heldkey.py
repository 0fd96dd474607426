"""Held custody: only the user's own key releases a data key, for its stream alone."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import UUID

import pytest

from files.crypto.errors import CryptoError, Damaged, WrongKey
from files.crypto.fernetkey import generate_master_key
from files.crypto.heldkey import HELD_LENGTH, hold, release
from files.crypto.stream.keys import Context
from tests.files.crypto.records import CONTEXT, DEK, HELD, OLD, USER


def test_hold_and_release() -> None:
    material = hold(DEK, USER, CONTEXT)
    assert len(material) == HELD_LENGTH == 137
    assert DEK not in material
    assert release(material, USER, CONTEXT) == DEK
    assert release(material, f"  {USER}\r\n", CONTEXT) == DEK


def test_material_is_never_the_same_twice() -> None:
    assert hold(DEK, USER, CONTEXT) != hold(DEK, USER, CONTEXT)


def test_a_wrong_user_key() -> None:
    same_signing_half = base64.urlsafe_b64encode(bytes([3]) * 16 + bytes(16)).decode()
    for key in (OLD, generate_master_key(), same_signing_half):
        with pytest.raises(WrongKey):
            release(HELD.material, key, CONTEXT)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, file_id=UUID(int=9)),
        replace(CONTEXT, stream_id=UUID(int=9)),
        replace(CONTEXT, created_at=9),
    ],
)
def test_material_of_another_stream_opens_with_no_key(other: Context) -> None:
    with pytest.raises(WrongKey):
        release(HELD.material, USER, other)


def test_altered_material_is_refused() -> None:
    for at in range(HELD_LENGTH):
        material = bytearray(HELD.material)
        material[at] ^= 1 << at % 8
        with pytest.raises(CryptoError) as refusal:
            release(bytes(material), USER, CONTEXT)
        assert refusal.type is (WrongKey if at < 32 else Damaged)


@pytest.mark.parametrize("length", [0, 32, 136, 138])
def test_material_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(Damaged, match="length"):
        release(bytes(length), USER, CONTEXT)


def test_only_a_data_key_is_held() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        hold(b"short", USER, CONTEXT)
