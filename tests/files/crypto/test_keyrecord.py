"""The record of a key: its layout, and what is no record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.errors import Damaged
from files.crypto.keyrecord import Custody, KeyRecord
from files.crypto.stream.keys import derive_keys
from tests.files.crypto.records import CONTEXT, DEK, HELD, MANAGED, RECORDS, UPLOADING


@pytest.mark.parametrize("record", RECORDS)
def test_record_round_trip(record: KeyRecord) -> None:
    assert KeyRecord.decode(record.encode()) == record


def test_record_layout() -> None:
    """The layout of docs/stream-format.md, spelt out."""
    assert MANAGED.encode() == (
        bytes.fromhex("8953434b0d0a1a0a" + "01" + "02" + "01" + "0000000000")
        + bytes(15)
        + b"\1"
        + bytes(15)
        + b"\2"
        + (1_700_000_000).to_bytes(8, "big")
        + (1234).to_bytes(8, "big")
        + derive_keys(DEK, CONTEXT).commitment
        + DEK
    )


@pytest.mark.parametrize("at", range(16))
def test_record_refuses_another_head(at: int) -> None:
    data = bytearray(MANAGED.encode())
    data[at] ^= 0x40
    with pytest.raises(Damaged):
        KeyRecord.decode(bytes(data))


@pytest.mark.parametrize("record", [MANAGED, HELD])
def test_record_refuses_another_length(record: KeyRecord) -> None:
    data = record.encode()
    for other in (*(data[:n] for n in range(len(data))), data + b"\0", data * 2):
        with pytest.raises(Damaged):
            KeyRecord.decode(other)


@given(st.binary(max_size=250))
def test_record_refuses_noise(noise: bytes) -> None:
    with pytest.raises(Damaged):
        KeyRecord.decode(noise)
    with pytest.raises(Damaged):
        KeyRecord.decode(HELD.encode()[:9] + noise[:40])


def test_a_sealed_held_record_never_holds_the_bare_key() -> None:
    with pytest.raises(ValueError, match="held key"):
        replace(HELD, material=DEK)
    with pytest.raises(ValueError, match="held key"):
        replace(UPLOADING, custody=Custody.HELD).seal(5)


def test_an_unsealed_record_has_no_size() -> None:
    with pytest.raises(ValueError, match="no size"):
        replace(UPLOADING, size=1)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_commitment_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="commitment"):
        replace(MANAGED, commitment=bytes(length))


def test_seal() -> None:
    assert UPLOADING.seal(1234) == MANAGED
    held = replace(UPLOADING, custody=Custody.HELD)
    assert held.seal(1234, material=HELD.material) == HELD


def test_a_record_does_not_show_its_material() -> None:
    for secret in (repr(DEK), DEK.hex(), repr(HELD.material)):
        assert secret not in repr(MANAGED) + repr(HELD)
