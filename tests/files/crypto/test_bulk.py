"""Whole files: the same bytes as the plain writer's, and nothing of what must be refused."""

from __future__ import annotations

import os
from io import FileIO
from itertools import islice
from pathlib import Path
from uuid import UUID

import pytest

from files.crypto.bulk import BLOCK_FRAMES, Pieces, decrypt_file, encrypt_file, writer
from files.crypto.errors import Damaged, WrongKey
from files.crypto.salvage import WholeObject
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import FRAME_PAYLOAD
from tests.files.crypto.tampering import every_bit, tampered_objects

DEK = bytes(range(32))
CONTEXT = Context(UUID(int=1), UUID(int=2), 1_700_000_000)
# Whole streams of the same key, which only who has it can make: a record tells them apart.
SOUND = {
    "the whole object of another file under the same data key",
    "the whole object of another stream of this file and data key",
    "an early final frame, and nothing after it",
    "forged frame 2: a short payload",
    "forged frame 2: a much shorter payload",
}


class Collected:
    """Copies what it is given: the buffers are used again."""

    def __init__(self) -> None:
        self.data = b""

    def __call__(self, pieces: Pieces) -> None:
        self.data += b"".join(pieces)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def sealed(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    collected = Collected()
    with FileIO(path) as source:
        length = encrypt_file(source, collected, DEK, CONTEXT)
    assert length == len(collected.data)
    return collected.data


def opened(path: Path, data: bytes, dek: bytes = DEK) -> bytes:
    path.write_bytes(data)
    collected = Collected()
    with FileIO(path) as source:
        decrypt_file(source, collected, WholeObject(source, dek))
    return collected.data


@pytest.mark.parametrize("blocks", range(5))
@pytest.mark.parametrize("more", [-FRAME_PAYLOAD, -1, 0, 1, FRAME_PAYLOAD])
def test_what_the_plain_writer_makes_opens_and_the_other_way_round(
    file: Path, blocks: int, more: int
) -> None:
    content = os.urandom(max(0, blocks * BLOCK_FRAMES * FRAME_PAYLOAD + more))
    assert opened(file, b"".join(encrypt(DEK, CONTEXT, [content]))) == content
    assert opened(file, sealed(file, content)) == content


def test_a_pipe_gives_less_than_is_asked_for(file: Path) -> None:
    content = os.urandom(3 * FRAME_PAYLOAD // 2)
    reading, writing = os.pipe()
    if not os.fork():
        os.close(reading)
        with os.fdopen(writing, "wb") as out:
            out.write(content)
        os._exit(0)
    os.close(writing)
    collected = Collected()
    with FileIO(reading) as source:
        encrypt_file(source, collected, DEK, CONTEXT)
    os.wait()
    assert opened(file, collected.data) == content


def test_the_writer_goes_on_where_the_system_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = b""

    def writev(descriptor: int, pieces: Pieces) -> int:
        nonlocal written
        data = b"".join(pieces)[:7]
        written += data
        return len(data)

    monkeypatch.setattr(os, "writev", writev)
    writer(99)(
        [memoryview(b"abcdefg"), memoryview(b""), memoryview(b"hijklmnopqr"), memoryview(b"s")]
    )
    assert written == b"abcdefghijklmnopqrs"


def test_tampered_objects_are_refused(file: Path) -> None:
    plaintext = os.urandom(3 * FRAME_PAYLOAD)
    names = set()
    for tampered in tampered_objects(DEK, CONTEXT, plaintext):
        names.add(tampered.name)
        file.write_bytes(tampered.object)
        collected = Collected()
        with FileIO(file) as source:
            try:
                decrypt_file(source, collected, WholeObject(source, tampered.dek))
            except (Damaged, WrongKey):
                assert plaintext.startswith(collected.data), tampered.name
            else:
                assert tampered.name in SOUND, tampered.name
    assert len(names) > 40


def test_bits_of_a_short_object_count(file: Path) -> None:
    # The readers' own test takes each of them; this one, one in eleven.
    for tampered in islice(every_bit(DEK, CONTEXT, b"x"), None, None, 11):
        with pytest.raises((Damaged, WrongKey)):
            opened(file, tampered.object, tampered.dek)


def test_a_file_that_shrinks_meanwhile_is_damaged(file: Path) -> None:
    file.write_bytes(b"".join(encrypt(DEK, CONTEXT, [bytes(9 * FRAME_PAYLOAD)])))
    collected = Collected()
    with FileIO(file) as source:
        whole = WholeObject(source, DEK)
        os.truncate(file, FRAME_PAYLOAD)
        with pytest.raises(Damaged):
            decrypt_file(source, collected, whole)
    assert collected.data == b""


def test_the_keys_are_those_of_the_context(file: Path) -> None:
    data = sealed(file, b"x")
    assert data.endswith(CONTEXT.encode() + derive_keys(DEK, CONTEXT).commitment)
