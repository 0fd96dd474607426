"""Writes one stream: frames straight into memory of the caller's, then the trailer.

Never gives two frames one IV, nor calls a frame the last while more may come. Never holds more
plaintext than the frames that go together (`files.crypto.lanes`), and one more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from files.crypto import lanes
from files.crypto.errors import CryptoError, StreamTooLong
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    FRAME_PREFIX,
    MAX_FRAMES,
    MAX_SIZE,
    PART_FRAMES,
    TRAILER_LENGTH,
    frame_length,
)
from files.crypto.tokens import BLOCK, Buffer, Sealing, TokenCodec


def _random_iv(_index: int) -> bytes:
    return os.urandom(BLOCK)


class Sealer:
    """Seals the frames of one stream straight into memory of the caller's, in any order.

    It does not watch over the stream: whoever uses it gives each index from 0 on once, all but the
    last frame full, and the last one, and only that one, as ``final``; the trailer follows.
    `Encryptor` is for those who have chunks. Threads may share one. ``iv_for`` as there.
    """

    def __init__(
        self, dek: bytes, context: Context, *, iv_for: Callable[[int], bytes] = _random_iv
    ) -> None:
        keys = derive_keys(dek, context)
        self._codec = TokenCodec(keys.frame_key)
        self._created_at = context.created_at
        self._iv_for = iv_for
        self.commitment: Final = keys.commitment
        self.trailer: Final = context.encode() + keys.commitment

    def seal_into(self, out: memoryview, index: int, payload: Buffer, *, final: bool) -> None:
        """Write frame ``index`` into ``out``, which has ``frame_length(len(payload))`` bytes.

        Raises StreamTooLong when a stream has no frame of that index.
        """
        self.seal_all_into(out, index, [payload], final=final)

    def seal_all_into(
        self, out: memoryview, first: int, payloads: Sequence[Buffer], *, final: bool
    ) -> None:
        """Write the frames from ``first`` on, one behind the other, into ``out``, and fill it.

        ``final`` is for the last of them. Several at once are faster (`files.crypto.lanes`).
        Raises as `seal_into`.
        """
        last = first + len(payloads) - 1
        if last >= MAX_FRAMES:
            raise StreamTooLong(f"a stream holds at most {MAX_SIZE} bytes")
        frames, end = [], 0
        for index, payload in enumerate(payloads, start=first):
            start, end = end, end + frame_length(len(payload))
            prefix = FRAME_PREFIX.pack(b"frame\0", final and index == last, index)
            frames.append(Sealing(out[start:end], prefix, payload, self._iv_for(index)))
        if len(out) != end:
            raise ValueError(f"frames of {end} bytes do not fill {len(out)} exactly")
        self._codec.seal_frames(frames, timestamp=self._created_at)


class Encryptor:
    """Turns chunks of any size into the frames and the trailer of one stream.

    ``reserve(n)`` gives a writable view of exactly ``n`` bytes, the next ones of the object; whole
    frames are encrypted straight into it, and complete when the next call of anything begins. A few
    go together, where that is faster (`files.crypto.lanes`), and never some of one part and some of
    the next: ``part_frames`` is how many a part has. So up to ``lanes.AT_ONCE`` frames of plaintext
    are held back, and where nothing is faster one. One is in any case, until it is known whether
    more follows, for the last frame says so and is empty only in an empty stream. ``size``, the
    whole stream's plaintext bytes, is for who knows them beforehand: then none waits for that.

    ``first_frame`` continues a stream whose earlier frames are already stored. They were not
    final, so at least one byte must follow. ``iv_for`` gives a frame's IV by its index; it exists
    for known answers in tests, and anything but fresh random bytes elsewhere breaks the cipher.

    After ``finish`` or any error it refuses further use. Not to be shared between threads.
    """

    def __init__(
        self,
        dek: bytes,
        context: Context,
        reserve: Callable[[int], memoryview],
        *,
        first_frame: int = 0,
        size: int | None = None,
        part_frames: int = PART_FRAMES,
        iv_for: Callable[[int], bytes] = _random_iv,
    ) -> None:
        if not 0 <= first_frame < MAX_FRAMES:
            raise ValueError(f"a stream has no frame {first_frame}")
        self._sealer = Sealer(dek, context, iv_for=iv_for)
        self._reserve = reserve
        self._index = first_frame
        self._size = first_frame * FRAME_PAYLOAD
        self._promised = size or 0
        self._part_frames = part_frames
        self._at_once = lanes.at_once()
        # The beginning of a frame, in a room of ours.
        self._room = memoryview(bytearray(FRAME_PAYLOAD))
        self._held = 0
        # Whole frames before it that wait: in other such rooms, or chunks as they came.
        self._waiting: list[memoryview] = []
        self._rooms = [self._room]
        self._usable = True

    @property
    def commitment(self) -> bytes:
        """The 32 bytes that the record keeps, to tell a wrong key from damage."""
        return self._sealer.commitment

    @property
    def size(self) -> int:
        """Plaintext bytes of the stream so far, frames before ``first_frame`` included."""
        return self._size

    def update(self, data: Buffer) -> None:
        """Take the next bytes. Raises StreamTooLong before encrypting any of them."""
        self._claim()
        chunk = memoryview(data).cast("B")
        if self._size + len(chunk) > MAX_SIZE:
            raise StreamTooLong(f"a stream holds at most {MAX_SIZE} bytes")
        self._size += len(chunk)
        more = self._size < self._promised
        while chunk:
            taken = chunk[: FRAME_PAYLOAD - self._held]
            chunk = chunk[len(taken) :]
            if len(taken) == FRAME_PAYLOAD:
                self._waiting.append(taken)
            else:
                self._room[self._held : self._held + len(taken)] = taken
                self._held += len(taken)
                if self._held == FRAME_PAYLOAD:
                    self._waiting.append(self._room)
                    self._room, self._held = self._free_room(), 0
            self._emit_full(followed=bool(chunk or more))
        self._keep()
        self._usable = True

    def finish(self) -> None:
        """Write the last frame and the trailer.

        Raises ValueError when a continued stream got no further byte, or one with a ``size`` not
        all of it: its last frame is written already, and not as the last.
        """
        self._claim()
        if self._held or not (self._waiting or self._index):
            self._waiting.append(self._room[: self._held])
        elif not self._waiting or self._size < self._promised:
            raise ValueError("the stream needs at least one more byte")
        while self._waiting:
            self._emit(self._together(), final=True)
        self._view(TRAILER_LENGTH)[:] = self._sealer.trailer

    def suspend(self) -> bytes:
        """Stop between two frames; return the plaintext, one frame at most, that is in none yet.

        All frames but that are written. Another encryptor continues: with `first_frame` the number
        of frames written so far, it takes these bytes first. Whoever keeps them encrypts them
        (`files.crypto.carry`).
        """
        self._claim()
        last = self._room[: self._held]
        if not self._held and self._waiting and self._size >= self._promised:
            last = self._waiting.pop()
        while self._waiting:
            self._emit(self._together(), final=False)
        return bytes(last)

    def _claim(self) -> None:
        """Refuse use after the end; and until the caller of this succeeds, refuse the next."""
        if not self._usable:
            raise CryptoError("this encryptor has finished or failed")
        self._usable = False

    def _emit_full(self, *, followed: bool) -> None:
        """Write as many as go together, unless the last of them may be the last of all."""
        count = self._together()
        if len(self._waiting) - (not followed and not self._held) >= count:
            self._emit(count, final=False)

    def _together(self) -> int:
        """How many of the next frames are written at once, where so many wait."""
        return min(self._at_once, self._part_frames - self._index % self._part_frames)

    def _emit(self, count: int, *, final: bool) -> None:
        """Write up to `count` of the frames that wait. With `final` the last of all is the last."""
        payloads = self._waiting[:count]
        room = self._view(sum(frame_length(len(payload)) for payload in payloads))
        last = final and len(payloads) == len(self._waiting)
        self._sealer.seal_all_into(room, self._index, payloads, final=last)
        self._index += len(payloads)
        del self._waiting[:count]

    def _keep(self) -> None:
        """Copy what waits in memory that its owner may change, or that is more than a frame."""
        for number, payload in enumerate(self._waiting):
            whole = isinstance(payload.obj, bytes) and len(payload.obj) == FRAME_PAYLOAD
            if not whole and not any(payload is room for room in self._rooms):
                room = self._free_room(but=self._room)
                room[:] = payload
                self._waiting[number] = room

    def _free_room(self, *, but: memoryview | None = None) -> memoryview:
        taken = [*self._waiting, but]
        for room in self._rooms:
            if not any(room is other for other in taken):
                return room
        self._rooms.append(memoryview(bytearray(FRAME_PAYLOAD)))
        return self._rooms[-1]

    def _view(self, length: int) -> memoryview:
        view = self._reserve(length)
        if len(view) != length:
            raise ValueError(f"reserve({length}) gave {len(view)} bytes")
        return view


def encrypt(
    dek: bytes,
    context: Context,
    chunks: Iterable[Buffer],
    *,
    iv_for: Callable[[int], bytes] = _random_iv,
) -> Iterator[bytes]:
    """Yield the object of the concatenated ``chunks``: each frame, then the trailer."""
    written: list[bytearray] = []

    def reserve(length: int) -> memoryview:
        written.append(bytearray(length))
        return memoryview(written[-1])

    def pieces() -> Iterator[bytes]:
        for together in map(bytes, written):
            for at in range(0, len(together), FRAME_LENGTH):
                yield together[at : at + FRAME_LENGTH]
        written.clear()

    encryptor = Encryptor(dek, context, reserve, iv_for=iv_for)
    for chunk in chunks:
        encryptor.update(chunk)
        yield from pieces()
    encryptor.finish()
    yield from pieces()
