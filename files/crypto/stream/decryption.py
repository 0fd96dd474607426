"""Opens the frames of one stream, in any order, and checks its trailer.

Never releases a byte of a frame that has not been authenticated as that frame of that stream.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from files.crypto.errors import Damaged
from files.crypto.stream.keys import Context, StreamKeys
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    FRAME_PREFIX,
    frame_count,
    frame_length,
)
from files.crypto.tokens import BLOCK, SLACK, Buffer, Opening, TokenCodec


def opening_room(payload: int) -> int:
    """Bytes of memory that opening a frame with ``payload`` bytes of plaintext takes."""
    return FRAME_PREFIX.size + payload + BLOCK + SLACK


class Decryptor:
    """Opens the frames of one stream, in any order.

    The ``keys`` have passed ``StreamKeys.check`` against the record, and ``size`` comes from the
    sealed record, never from the object. Not to be shared between threads.
    """

    def __init__(self, keys: StreamKeys, context: Context, size: int) -> None:
        self._count = frame_count(size)
        self._keys = keys
        self._context = context
        self._size = size
        self._last_length = frame_length(self._payload(self._count - 1))
        self._codec = TokenCodec(keys.frame_key)
        self._scratch: list[memoryview] = []

    def open_frame(self, index: int, token: Buffer) -> bytes:
        """Return the payload of frame ``index``. Raises Damaged, ValueError for no such frame."""
        [opened] = self.open_frames(index, [token])
        if isinstance(opened, Damaged):
            raise opened
        return opened

    def open_frames(self, first: int, tokens: Sequence[Buffer]) -> list[bytes | Damaged]:
        """Of the frames from ``first`` on, each one's payload, or why nothing of it may be used.

        A few at once are faster (`files.crypto.lanes`), and take as many frames of memory. Raises
        ValueError for no such frame.
        """
        opened = self.open_frames_for_now(first, tokens)
        return [one if isinstance(one, Damaged) else bytes(one) for one in opened]

    def open_frames_for_now(
        self, first: int, tokens: Sequence[Buffer]
    ) -> list[memoryview | Damaged]:
        """As `open_frames`, in memory of the decryptor's, which the next call writes over."""
        while len(self._scratch) < len(tokens):
            room = bytearray(opening_room(min(self._size, FRAME_PAYLOAD)))
            self._scratch.append(memoryview(room))
        return self.open_frames_into(first, tokens, self._scratch[: len(tokens)])

    def open_frames_into(
        self, first: int, tokens: Sequence[Buffer], rooms: Sequence[memoryview]
    ) -> list[memoryview | Damaged]:
        """As `open_frames`, each into a room of its own; of it the part that is the payload.

        A room has at least ``opening_room`` bytes; where its frame was refused, it holds nothing
        that anyone may use. Threads may share this method. Raises ValueError, also for another
        number of rooms.
        """
        if first < 0 or first + len(tokens) > self._count:
            raise ValueError(f"a stream of {self._size} bytes has no frame {first}")
        if len(tokens) != len(rooms):
            raise ValueError("each frame needs a room of its own")
        frames: dict[int, Opening] = {}
        for index, frame in enumerate(map(Opening, tokens, rooms), start=first):
            final = index == self._count - 1
            if len(frame.token) == (self._last_length if final else FRAME_LENGTH):
                frames[index] = frame
        ends = self._codec.open_frames([*frames.values()], timestamp=self._context.created_at)
        opened = dict(zip(frames, ends, strict=True))
        return [
            self._checked(index, room, opened[index])
            if index in opened
            else Damaged(f"frame {index} has another length")
            for index, room in enumerate(rooms, start=first)
        ]

    def _payload(self, index: int) -> int:
        final = index == self._count - 1
        return self._size - index * FRAME_PAYLOAD if final else FRAME_PAYLOAD

    def _checked(self, index: int, room: memoryview, end: int | Damaged) -> memoryview | Damaged:
        """The payload of a frame whose token opened, if it is that frame; or what is wrong."""
        if isinstance(end, Damaged):
            return Damaged(f"frame {index}: {end.reason}")
        final = index == self._count - 1
        if room[: FRAME_PREFIX.size] != FRAME_PREFIX.pack(b"frame\0", final, index):
            return Damaged(f"frame {index} is another frame")
        if end != FRAME_PREFIX.size + self._payload(index):
            return Damaged(f"frame {index} has another payload length")
        return room[FRAME_PREFIX.size : end]

    def check_trailer(self, trailer: bytes) -> None:
        """Compare the object's trailer with what it must be. Raises Damaged.

        Never WrongKey: the keys are known to be right, so another commitment is damage.
        """
        if not hmac.compare_digest(trailer, self._context.encode() + self._keys.commitment):
            raise Damaged("the trailer is not this stream's")
