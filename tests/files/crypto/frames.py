"""Frames to be sealed and opened both ways, and what both must agree on."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from hypothesis import strategies as st

from files.crypto.errors import Damaged
from files.crypto.lanes import MOST, MOST_MACS, PREFIX_LENGTH
from files.crypto.tokens import SLACK, Opening, Sealing, TokenCodec, token_length
from tests.files.crypto.ways import PYTHON, in_c, taken

NEAR = (0, 1, 15, 16, 17, 31, 32, 33, 48, 49, 63, 64, 65, 4095, 4096, 4097, 4096 + 49, 8192)
"""Sizes next to the boundaries of a block, of a hash's block, and of what is done at a time."""

FILL = 0xA5
"""What a room has before anything is put into it."""


class Frame(NamedTuple):
    """A frame to be sealed."""

    prefix: bytes
    payload: bytes
    iv: bytes


class Widths(NamedTuple):
    """How many frames go side by side."""

    ciphers: int
    macs: int


def noise(size: int, seed: int = 0) -> bytes:
    return hashlib.shake_128(b"%d" % seed).digest(size)


sizes = st.sampled_from(NEAR) | st.integers(0, 300) | st.integers(0, 20_000)
widths = st.builds(Widths, st.integers(1, MOST), st.integers(1, MOST_MACS))
frames = st.builds(
    lambda size, seed, prefix, iv: Frame(prefix, noise(size, seed), iv),
    sizes,
    st.integers(0, 3),
    st.binary(min_size=PREFIX_LENGTH, max_size=PREFIX_LENGTH),
    st.binary(min_size=16, max_size=16),
)


def seal(codec: TokenCodec, some: list[Frame], rooms: list[bytearray], *, timestamp: int) -> None:
    """Seal each frame into its room."""
    jobs = [
        Sealing(memoryview(room), frame.prefix, frame.payload, frame.iv)
        for room, frame in zip(rooms, some, strict=True)
    ]
    codec.seal_frames(jobs, timestamp=timestamp)


def rooms_for(some: list[Frame]) -> list[bytearray]:
    return [bytearray([FILL]) * token_length(PREFIX_LENGTH + len(frame.payload)) for frame in some]


def sealed_alike(key: bytes, some: list[Frame], side: Widths, *, timestamp: int) -> list[bytes]:
    """The tokens of the frames, the same ones both ways."""
    codec = TokenCodec(key)
    slow, fast = rooms_for(some), rooms_for(some)
    with taken(PYTHON):
        seal(codec, some, slow, timestamp=timestamp)
    with taken(in_c(*side)):
        seal(codec, some, fast, timestamp=timestamp)
    assert fast == slow
    return [bytes(token) for token in slow]


def opened_alike(
    key: bytes, tokens: list[bytes], side: Widths, *, timestamp: int
) -> list[bytes | str]:
    """The plaintext of each token, or why it was refused: the same both ways."""
    codec = TokenCodec(key)
    found = []
    for way in (PYTHON, in_c(*side)):
        rooms = [bytearray([FILL]) * max(0, len(token) - 57 + SLACK) for token in tokens]
        jobs = [Opening(token, memoryview(room)) for token, room in zip(tokens, rooms, strict=True)]
        with taken(way):
            results = codec.open_frames(jobs, timestamp=timestamp)
        for result, room in zip(results, rooms, strict=True):
            if isinstance(result, Damaged) and "HMAC" in result.reason:
                assert set(room) <= {FILL}, "nothing is released before its tag is verified"
        found.append(
            [
                result.reason if isinstance(result, Damaged) else bytes(room[:result])
                for result, room in zip(results, rooms, strict=True)
            ]
        )
    assert found[0] == found[1]
    return found[0]
