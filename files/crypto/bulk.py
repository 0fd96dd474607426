"""A whole file into an object of stream format 1 and back, as fast as the machine does it.

Blocks of a few frames are sealed or opened in threads while this one reads and writes. Memory is
a few MiB, however large the file. Nothing of a frame is written before it has authenticated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import FileIO
from typing import Final, TypeAlias

from files.crypto.errors import Damaged
from files.crypto.pipeline import in_order, thread_count
from files.crypto.salvage import WholeObject
from files.crypto.stream import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    TRAILER_LENGTH,
    Context,
    Decryptor,
    Sealer,
    frame_count,
    frame_length,
    object_length,
    opening_room,
)

BLOCK_FRAMES: Final = 4
"""Frames that are read, worked on and written together: 1 MiB."""

_ALIGNED: Final = 64

Pieces: TypeAlias = list[memoryview]
Write: TypeAlias = Callable[[Pieces], object]


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


class _Ring:
    """Buffers that are used in turn, made when first needed: a short file takes few of them."""

    def __init__(self, count: int, *sizes: int) -> None:
        self._count = count
        self._sizes = sizes
        self._made: list[list[memoryview]] = []
        self._next = 0

    def take(self) -> list[memoryview]:
        if self._next == len(self._made):
            self._made.append([memoryview(bytearray(size)) for size in self._sizes])
        taken = self._made[self._next]
        self._next = (self._next + 1) % self._count
        return taken


def encrypt_file(source: FileIO, write: Write, dek: bytes, context: Context) -> int:
    """Write the object of what `source` has, to its end. Return its length in bytes.

    `source` may be a pipe. Raises StreamTooLong, OSError.
    """
    sealer = Sealer(dek, context)
    threads = thread_count()
    ring = _Ring(
        threads + 2, _ALIGNED + BLOCK_FRAMES * FRAME_PAYLOAD + 1, BLOCK_FRAMES * FRAME_LENGTH
    )

    def blocks() -> Iterator[tuple[int, memoryview, memoryview, bool]]:
        # Only what follows tells whether a frame is the last one: one byte more is read than the
        # block takes. It lies directly before the next block's room, which stays aligned.
        first, carried, more = 0, b"", True
        while more:
            room, out = ring.take()
            start = _ALIGNED - len(carried)
            room[start:_ALIGNED] = carried
            wanted = BLOCK_FRAMES * FRAME_PAYLOAD + 1 - len(carried)
            end = _ALIGNED + read_fully(source, room[_ALIGNED : _ALIGNED + wanted])
            more = end - start > BLOCK_FRAMES * FRAME_PAYLOAD
            if more:
                end -= 1
                carried = bytes(room[end : end + 1])
            yield first, room[start:end], out, not more
            first += BLOCK_FRAMES

    def seal(block: tuple[int, memoryview, memoryview, bool]) -> Pieces:
        index, plaintext, out, last = block
        end, count = 0, frame_count(len(plaintext))
        for number in range(count):
            payload = plaintext[number * FRAME_PAYLOAD : (number + 1) * FRAME_PAYLOAD]
            token = out[end : end + frame_length(len(payload))]
            sealer.seal_into(token, index + number, payload, final=last and number == count - 1)
            end += len(token)
        return [out[:end]]

    length = 0
    for pieces in in_order(blocks(), seal, threads=threads, ahead=threads + 2):
        write(pieces)
        length += sum(map(len, pieces))
    write([memoryview(sealer.trailer)])
    return length + TRAILER_LENGTH


def decrypt_file(source: FileIO, write: Write, whole: WholeObject) -> int:
    """Write the file of an object that was opened from `source`. Return its size in bytes.

    Raises Damaged; nothing of the frame that was damaged, nor of any after it, is written.
    """
    decryptor = Decryptor(whole.keys, whole.context, whole.size)
    last, length = frame_count(whole.size) - 1, object_length(whole.size)
    threads = thread_count()
    rooms = [opening_room(FRAME_PAYLOAD)] * BLOCK_FRAMES
    ring = _Ring(threads + 2, BLOCK_FRAMES * FRAME_LENGTH + TRAILER_LENGTH, *rooms)

    def blocks() -> Iterator[tuple[int, memoryview, Pieces]]:
        source.seek(0)
        position = 0
        for first in range(0, last + 1, BLOCK_FRAMES):
            room, *rooms = ring.take()
            final = first + BLOCK_FRAMES > last
            wanted = length - position if final else BLOCK_FRAMES * FRAME_LENGTH
            if read_fully(source, room[:wanted]) < wanted:
                raise Damaged("it became shorter while it was being read", another_length=True)
            position += wanted
            yield first, room[:wanted], rooms

    def open_block(block: tuple[int, memoryview, Pieces]) -> Pieces:
        first, tokens, rooms = block
        if first + BLOCK_FRAMES > last:
            decryptor.check_trailer(bytes(tokens[-TRAILER_LENGTH:]))
            tokens = tokens[:-TRAILER_LENGTH]
        frames = range(0, len(tokens), FRAME_LENGTH)
        return [
            decryptor.open_frame_into(first + number, tokens[at : at + FRAME_LENGTH], room)
            for number, (at, room) in enumerate(zip(frames, rooms, strict=False))
        ]

    size = 0
    for pieces in in_order(blocks(), open_block, threads=threads, ahead=threads + 2):
        write(pieces)
        size += sum(map(len, pieces))
    return size


def read_fully(source: FileIO, room: memoryview) -> int:
    """Fill `room` unless the source ends first; return how many bytes came."""
    filled = 0
    while filled < len(room):
        count = source.readinto(room[filled:])
        if not count:
            break
        filled += count
    return filled
