"""Every object that the format says must be refused, lying in the store and read from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import pytest

from files.storage import EncryptedS3Storage, ObjectKey
from tests.files.crypto.tampering import Tampered, every_bit, tampered_objects
from tests.files.storage.objects import F, Hands, content, new_key

NAME = "ta/mpered"


def refusals(storage: EncryptedS3Storage, key: ObjectKey, objects: Iterable[Tampered]) -> int:
    """Check that the reader refuses each one after its intact prefix; how many there were."""
    hands, plaintext, count = Hands(storage), content(key.size), 0
    for tampered in objects:
        hands.put(NAME, tampered.object)
        tried = ObjectKey(tampered.dek, key.context, key.size, key.commitment)
        released = bytearray()
        with pytest.raises(tampered.error) as refusal:
            for chunk in storage.reader(NAME, tried).chunks():
                released += chunk
        assert refusal.type is tampered.error, tampered.name
        assert released == plaintext[: tampered.intact], tampered.name
        count += 1
    return count


def test_tampered_objects_are_refused(
    storage: EncryptedS3Storage,
    store_name: str,
    record_property: Callable[[str, object], None],
) -> None:
    key = new_key(2 * F + 1000)
    objects = tampered_objects(key.dek, key.context, content(key.size))
    if store_name == "moto":
        # Some of every kind (no kind repeats after a multiple of 7); the real store gets them all.
        objects = islice(objects, 0, None, 7)
    count = refusals(storage, key, objects)
    record_property("tampered_objects_refused_by_the_reader", count)
    assert count > (70 if store_name == "moto" else 500)


@pytest.mark.parametrize("size", [0, 1])
def test_a_short_object_is_refused_with_bits_flipped(moto: EncryptedS3Storage, size: int) -> None:
    key = new_key(size)
    objects = every_bit(key.dek, key.context, content(size))
    # Some of each field; all of them are the decryptor's test.
    assert refusals(moto, key, islice(objects, 0, None, 37)) > 30
