"""Where everything is in a stream: frames, the parts that they travel in, the trailer.

Arithmetic alone: ``docs/stream-format.md``, "Layout of an object". Never touches a key, nor a byte
of a file.
"""

from __future__ import annotations

import struct
from typing import Final

from files.crypto.errors import StreamTooLong
from files.crypto.tokens import token_length

FRAME_PAYLOAD: Final = 262_144
"""Plaintext bytes in every frame but the last (F)."""

FRAME_LENGTH: Final = 262_217
"""Bytes of a full frame in the object."""

CONTEXT_LENGTH: Final = 64
COMMITMENT_LENGTH: Final = 32
TRAILER_LENGTH: Final = CONTEXT_LENGTH + COMMITMENT_LENGTH

MAX_FRAMES: Final = 2**32
MAX_SIZE: Final = MAX_FRAMES * FRAME_PAYLOAD
"""Plaintext bytes that one stream can hold: 1 PiB."""

PART_FRAMES: Final = 32
MAX_PARTS: Final = 10_000
"""Parts that S3 allows in one multipart upload."""

FRAME_PREFIX: Final = struct.Struct(">6s?Q")
"""What a frame's plaintext begins with: a name, whether it is the last one, its index."""


def frame_length(payload: int) -> int:
    """The length in the object of a frame with ``payload`` bytes of plaintext."""
    return token_length(FRAME_PREFIX.size + payload)


def frame_count(size: int) -> int:
    """The number of frames of a stream of ``size`` bytes; an empty one still has a frame.

    Raises StreamTooLong above ``MAX_SIZE``, ValueError below 0.
    """
    if size < 0:
        raise ValueError("a size is never negative")
    if size > MAX_SIZE:
        raise StreamTooLong(f"a stream holds at most {MAX_SIZE} bytes, not {size}")
    return max(1, -(-size // FRAME_PAYLOAD))


def object_length(size: int) -> int:
    """The exact length in the store of a stream of ``size`` bytes. Raises as frame_count."""
    before = frame_count(size) - 1
    last = size - before * FRAME_PAYLOAD
    return before * FRAME_LENGTH + frame_length(last) + TRAILER_LENGTH


def frame_offset(index: int) -> int:
    """Where frame ``index`` begins in the object."""
    return index * FRAME_LENGTH


def frame_at(offset: int) -> int:
    """The index of the frame that holds the plaintext byte at ``offset``."""
    return offset // FRAME_PAYLOAD


def frames_per_part(size: int | None) -> int:
    """Whole frames in each part of a multipart upload but the last.

    32 (8 MiB), or more when 10,000 parts would not hold the object of a declared ``size``.
    """
    if size is None:
        return PART_FRAMES
    return max(PART_FRAMES, -(-object_length(size) // (MAX_PARTS * FRAME_LENGTH)))
