"""Every tampered object is refused, and what was released before is the intact prefix."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from files.crypto.errors import Damaged, WrongKey
from files.crypto.stream.decryption import Decryptor
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import (
    FRAME_PAYLOAD,
    TRAILER_LENGTH,
    frame_count,
    frame_offset,
    object_length,
)
from tests.files.crypto.tampering import Tampered, every_bit, tampered_objects

DEK = bytes(range(32))
CONTEXT = Context(UUID(int=1), UUID(int=2), 1_700_000_000)


def read(data: bytes, dek: bytes, commitment: bytes, size: int) -> Iterator[bytes]:
    """The format's "Reader, in this order", steps 2 to 5, over an object in memory."""
    if len(data) != object_length(size):
        raise Damaged("the object has another length")
    keys = derive_keys(dek, CONTEXT)
    keys.check(commitment)
    decryptor = Decryptor(keys, CONTEXT, size)
    last = frame_count(size) - 1
    for index in range(last):
        yield decryptor.open_frame(index, data[frame_offset(index) : frame_offset(index + 1)])
    decryptor.check_trailer(data[-TRAILER_LENGTH:])
    yield decryptor.open_frame(last, data[frame_offset(last) : -TRAILER_LENGTH])


def refuse(tampered: Tampered, plaintext: bytes) -> None:
    released: list[bytes] = []
    commitment = derive_keys(DEK, CONTEXT).commitment
    with pytest.raises((Damaged, WrongKey)) as refusal:
        released.extend(read(tampered.object, tampered.dek, commitment, len(plaintext)))
    assert refusal.type is tampered.error, tampered.name
    assert b"".join(released) == plaintext[: tampered.intact], tampered.name


@pytest.mark.parametrize("size", [2 * FRAME_PAYLOAD + 1000, 3 * FRAME_PAYLOAD])
def test_tampered_objects_are_refused(
    size: int, record_property: Callable[[str, object], None]
) -> None:
    plaintext = os.urandom(size)
    names, objects = set(), set()
    for tampered in tampered_objects(DEK, CONTEXT, plaintext):
        refuse(tampered, plaintext)
        names.add(tampered.name)
        # Not themselves: they would be half a gigabyte.
        objects.add(hash((tampered.object, tampered.dek)))
    record_property("tampered_objects_refused", len(objects))
    assert len(names) >= len(objects) > 550


@pytest.mark.parametrize("size", [0, 1, 16])
def test_every_bit_and_every_cut_of_a_short_object_is_refused(size: int) -> None:
    plaintext = bytes(size)
    for tampered in every_bit(DEK, CONTEXT, plaintext):
        refuse(tampered, plaintext)


def test_the_reader_accepts_what_was_not_tampered_with() -> None:
    plaintext = os.urandom(2 * FRAME_PAYLOAD + 1000)
    genuine = b"".join(encrypt(DEK, CONTEXT, [plaintext]))
    commitment = derive_keys(DEK, CONTEXT).commitment
    assert b"".join(read(genuine, DEK, commitment, len(plaintext))) == plaintext
