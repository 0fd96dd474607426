"""A whole file into an object of stream format 1 and back, as fast as the machine does it.

Blocks of a few frames go through a few threads. Memory is a few MiB for each, however large the
file. Nothing of a frame is written before it has authenticated.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from mmap import mmap
from typing import Final, TypeAlias

from files.crypto.errors import Damaged
from files.crypto.pipeline import Pipeline, thread_count
from files.crypto.salvage import WholeObject
from files.crypto.stream.decryption import Decryptor, opening_room
from files.crypto.stream.encryption import Sealer
from files.crypto.stream.keys import Context
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    TRAILER_LENGTH,
    frame_count,
    frame_length,
    object_length,
)

BLOCK_FRAMES: Final = 8
"""Frames that are read, worked on and written together: 2 MiB."""

_ALIGNED: Final = 64

Pieces: TypeAlias = list[memoryview]
Write: TypeAlias = Callable[[Pieces], object]

# Index of the first frame; plaintext and room for its frames, and whether it is the last block;
# or frames and a room for the plaintext of each.
_Plain: TypeAlias = tuple[int, memoryview, memoryview, bool]
_Sealed: TypeAlias = tuple[int, memoryview, Pieces]


def writer(descriptor: int) -> Write:
    """Writes all of the pieces that it is given, to a file or a pipe."""

    def write(pieces: Pieces) -> None:
        pieces = [piece for piece in pieces if piece]
        while pieces:
            written = os.writev(descriptor, pieces)
            while pieces and written >= len(pieces[0]):
                written -= len(pieces.pop(0))
            if written:
                pieces[0] = pieces[0][written:]

    return write


def _memory(size: int) -> memoryview:
    """Memory of which the system gives only what is used: a short file takes little of it."""
    return memoryview(mmap(-1, size))


def encrypt_file(source: FileIO, write: Write, dek: bytes, context: Context) -> int:
    """Write the object of what `source` has, to its end. Return its length in bytes.

    `source` may be a pipe. Raises StreamTooLong, OSError.
    """
    sealer = Sealer(dek, context)
    next_frame, carried, length = 0, b"", 0

    def room() -> tuple[memoryview, memoryview]:
        plaintext = _memory(_ALIGNED + BLOCK_FRAMES * FRAME_PAYLOAD + 1)
        return plaintext, _memory(BLOCK_FRAMES * FRAME_LENGTH)

    def read(room: tuple[memoryview, memoryview]) -> _Plain | None:
        # Only what follows tells whether a frame is the last one: one byte more is read than the
        # block takes. It lies directly before the next block's place, which stays aligned.
        nonlocal next_frame, carried
        plaintext, out = room
        if next_frame and not carried:
            return None
        start = _ALIGNED - len(carried)
        plaintext[start:_ALIGNED] = carried
        wanted = BLOCK_FRAMES * FRAME_PAYLOAD + 1 - len(carried)
        end = _ALIGNED + read_fully(source, plaintext[_ALIGNED : _ALIGNED + wanted])
        full = min(end, start + BLOCK_FRAMES * FRAME_PAYLOAD)
        carried = bytes(plaintext[full:end])
        first = next_frame
        next_frame += BLOCK_FRAMES
        return first, plaintext[start:full], out, not carried

    def seal(block: _Plain) -> Pieces:
        first, plaintext, out, last = block
        payloads = [
            plaintext[at : at + FRAME_PAYLOAD]
            for at in range(0, max(1, len(plaintext)), FRAME_PAYLOAD)
        ]
        end = sum(frame_length(len(payload)) for payload in payloads)
        sealer.seal_all_into(out[:end], first, payloads, final=last)
        return [out[:end]]

    def keep(pieces: Pieces) -> None:
        nonlocal length
        write(pieces)
        length += sum(map(len, pieces))

    Pipeline(room, read, seal, keep).run(thread_count())
    write([memoryview(sealer.trailer)])
    return length + TRAILER_LENGTH


def decrypt_file(source: FileIO, write: Write, whole: WholeObject) -> None:
    """Write the file of an object that was opened from `source`.

    Raises Damaged; nothing of the frame that was damaged, nor of any after it, is written.
    """
    decryptor = Decryptor(whole.keys, whole.context, whole.size)
    last = frame_count(whole.size) - 1
    next_frame, left = 0, object_length(whole.size)
    source.seek(0)

    def room() -> tuple[memoryview, Pieces]:
        tokens = _memory(BLOCK_FRAMES * FRAME_LENGTH + TRAILER_LENGTH)
        return tokens, [_memory(opening_room(FRAME_PAYLOAD)) for _ in range(BLOCK_FRAMES)]

    def read(room: tuple[memoryview, Pieces]) -> _Sealed | None:
        nonlocal next_frame, left
        tokens, rooms = room
        if next_frame > last:
            return None
        wanted = left if next_frame + BLOCK_FRAMES > last else BLOCK_FRAMES * FRAME_LENGTH
        if read_fully(source, tokens[:wanted]) < wanted:
            raise Damaged("it became shorter while it was being read", another_length=True)
        first = next_frame
        next_frame += BLOCK_FRAMES
        left -= wanted
        return first, tokens[:wanted], rooms

    def open_block(block: _Sealed) -> Pieces:
        first, tokens, rooms = block
        if first + BLOCK_FRAMES > last:
            decryptor.check_trailer(bytes(tokens[-TRAILER_LENGTH:]))
            tokens = tokens[:-TRAILER_LENGTH]
        frames = [tokens[at : at + FRAME_LENGTH] for at in range(0, len(tokens), FRAME_LENGTH)]
        pieces = []
        for opened in decryptor.open_frames_into(first, frames, rooms[: len(frames)]):
            if isinstance(opened, Damaged):
                raise opened
            pieces.append(opened)
        return pieces

    Pipeline(room, read, open_block, write).run(thread_count())


def read_fully(source: FileIO, room: memoryview) -> int:
    """Fill `room` unless the source ends first; return how many bytes came."""
    filled = 0
    while filled < len(room):
        count = source.readinto(room[filled:])
        if not count:
            break
        filled += count
    return filled
