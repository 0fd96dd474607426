"""Digests taken beside the encryption are those of all bytes, whatever they come in."""

from __future__ import annotations

import hashlib
import os

import pytest

from files.crypto.digests import digest_all
from files.storage import EncryptedS3Storage
from files.storage.backend import random_object_name
from tests.files.storage.objects import PART, F, content, new_context

LARGE = 2 * PART + F + 3


@pytest.mark.parametrize(
    ("whole", "length", "changes"),
    [(True, F, False), (False, F, False), (True, F - 5, False), (False, 170_001, True)],
)
def test_digests_are_those_of_all_bytes_whatever_they_come_in(
    storage: EncryptedS3Storage, *, whole: bool, length: int, changes: bool
) -> None:
    """In the middle as well; also where each piece comes in the memory of the one before."""
    plain, room = content(LARGE), bytearray(length)
    with storage.writer(
        random_object_name(), dek=os.urandom(32), context=new_context(), whole=whole
    ) as writing:
        for number, start in enumerate(range(0, LARGE, length)):
            piece = plain[start : start + length]
            if changes:
                room[: len(piece)] = piece
                writing.write(memoryview(room)[: len(piece)])
                room[:] = bytes(length)
            else:
                writing.write(piece)
            if number in {40, 45}:
                assert writing.chain == digest_all([plain[: start + len(piece)]]).chain
        digests = writing.commit().digests
    assert digests is not None
    assert digests.chain == digest_all([plain]).chain
    assert digests.sha256 == (hashlib.sha256(plain).digest() if whole else None)
