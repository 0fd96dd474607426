"""Stream format 1: a file as a sequence of binary Fernet tokens (frames), then a trailer.

The layout's arithmetic, the keys of one stream, an encryptor that takes chunks of any size and a
decryptor that opens any frame. ``docs/stream-format.md`` is the specification; the sections named
below are its sections.

Never releases a byte of a frame that has not been authenticated as that frame of that stream.
Never holds more plaintext than one frame.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto import lanes
from files.crypto.errors import CryptoError, Damaged, StreamTooLong, WrongKey
from files.crypto.tokens import (
    BLOCK,
    SLACK,
    Buffer,
    Opening,
    Sealing,
    TokenCodec,
    token_length,
)

# Layout

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

_PREFIX: Final = struct.Struct(">6s?Q")


def frame_length(payload: int) -> int:
    """The length in the object of a frame with ``payload`` bytes of plaintext."""
    return token_length(_PREFIX.size + payload)


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


# Keys

_CONTEXT: Final = struct.Struct(">8sB7x16s16sQ8x")
_MAGIC: Final = b"\x89SCS\r\n\x1a\n"
_VERSION: Final = 1
_KEY_INFO: Final = b"securestore/1"

DEK_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Context:
    """What a stream's keys are derived for: one encryption of one file, at one time.

    ``created_at`` is in Unix seconds and is the timestamp of every frame.
    """

    file_id: UUID
    stream_id: UUID
    created_at: int

    def __post_init__(self) -> None:
        if not 0 <= self.created_at < 2**64:
            raise ValueError("created_at is a count of Unix seconds in 64 bits")

    def encode(self) -> bytes:
        """The 64 bytes that the key derivation and the trailer use."""
        return _CONTEXT.pack(
            _MAGIC, _VERSION, self.file_id.bytes, self.stream_id.bytes, self.created_at
        )

    @staticmethod
    def magic() -> bytes:
        """What every encoded context begins with: magic, version and 7 zero bytes."""
        return _CONTEXT.pack(_MAGIC, _VERSION, b"", b"", 0)[:BLOCK]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote. Raises Damaged on anything else, spare bytes included."""
        if len(data) != CONTEXT_LENGTH:
            raise Damaged("a context has another length")
        _, _, file_id, stream_id, created_at = _CONTEXT.unpack(data)
        context = cls(UUID(bytes=file_id), UUID(bytes=stream_id), created_at)
        if context.encode() != data:
            raise Damaged("not a context of stream format 1")
        return context


@dataclass(frozen=True, slots=True, eq=False)
class StreamKeys:
    """The keys of one stream: 32 bytes for its frames, 32 that say which keys these are.

    Fernet does not commit to its key; the commitment does.
    """

    frame_key: bytes = field(repr=False)
    commitment: bytes = field(repr=False)

    def check(self, commitment: bytes) -> None:
        """Compare with the commitment on record, in constant time. Raises WrongKey."""
        if not hmac.compare_digest(self.commitment, commitment):
            raise WrongKey


def derive_keys(dek: bytes, context: Context) -> StreamKeys:
    """Derive a stream's keys from its data key of 32 bytes (HKDF-Expand, RFC 5869, SHA-256)."""
    if len(dek) != DEK_LENGTH:
        raise ValueError(f"a data key has {DEK_LENGTH} bytes, not {len(dek)}")
    info = _KEY_INFO + context.encode()
    okm = HKDFExpand(SHA256(), length=64, info=info).derive(dek)
    return StreamKeys(frame_key=okm[:32], commitment=okm[32:])


# Writing


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
            prefix = _PREFIX.pack(b"frame\0", final and index == last, index)
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


# Reading


def opening_room(payload: int) -> int:
    """Bytes of memory that opening a frame with ``payload`` bytes of plaintext takes."""
    return _PREFIX.size + payload + BLOCK + SLACK


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
        while len(self._scratch) < len(tokens):
            room = bytearray(opening_room(min(self._size, FRAME_PAYLOAD)))
            self._scratch.append(memoryview(room))
        opened = self.open_frames_into(first, tokens, self._scratch[: len(tokens)])
        return [one if isinstance(one, Damaged) else bytes(one) for one in opened]

    def open_frame_into(self, index: int, token: Buffer, room: memoryview) -> memoryview:
        """Decrypt frame ``index`` into ``room``; return the part of it that is the payload.

        ``room`` has at least ``opening_room`` bytes. Threads may share this method. Raises as
        ``open_frame``; ``room`` then holds nothing that anyone may use.
        """
        [opened] = self.open_frames_into(index, [token], [room])
        if isinstance(opened, Damaged):
            raise opened
        return opened

    def open_frames_into(
        self, first: int, tokens: Sequence[Buffer], rooms: Sequence[memoryview]
    ) -> list[memoryview | Damaged]:
        """As `open_frames`, each into a room of its own, as `open_frame_into`."""
        if first < 0 or first + len(tokens) > self._count:
            raise ValueError(f"a stream of {self._size} bytes has no frame {first}")
        if len(tokens) != len(rooms):
            raise ValueError("each frame needs a room of its own")
        frames: dict[int, Opening] = {}
        for index, frame in enumerate(map(Opening, tokens, rooms), start=first):
            if len(frame.token) == frame_length(self._payload(index)):
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
        if room[: _PREFIX.size] != _PREFIX.pack(b"frame\0", final, index):
            return Damaged(f"frame {index} is another frame")
        if end != _PREFIX.size + self._payload(index):
            return Damaged(f"frame {index} has another payload length")
        return room[_PREFIX.size : end]

    def check_trailer(self, trailer: bytes) -> None:
        """Compare the object's trailer with what it must be. Raises Damaged.

        Never WrongKey: the keys are known to be right, so another commitment is damage.
        """
        if not hmac.compare_digest(trailer, self._context.encode() + self._keys.commitment):
            raise Damaged("the trailer is not this stream's")
