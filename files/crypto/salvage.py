"""Reading an object that has no record: the rescue reader of docs/stream-format.md, "Reading".

`WholeObject` is strict: it takes the context from the trailer and the size from the last frame,
once that frame has authenticated, and then reads as every reader does. `salvage` is for an object
that is known to be damaged: it looks for every frame that still authenticates, wherever it lies.

Neither ever releases a byte that has not authenticated, nor holds more than a few frames.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

from files.crypto import lanes
from files.crypto.errors import Damaged, WrongKey
from files.crypto.stream.decryption import Decryptor
from files.crypto.stream.keys import Context, StreamKeys, derive_keys
from files.crypto.stream.layout import (
    CONTEXT_LENGTH,
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    FRAME_PREFIX,
    MAX_FRAMES,
    TRAILER_LENGTH,
    frame_count,
    frame_length,
    frame_offset,
    object_length,
)
from files.crypto.tokens import TokenCodec

_SHORTEST: Final = frame_length(0)


@dataclass(frozen=True, slots=True)
class Trailer:
    """What an object says of itself: 96 bytes at its end. Not yet authenticated."""

    context: Context
    commitment: bytes


def read_trailer(source: BinaryIO, *, start: int = 0) -> Trailer:
    """The trailer of the object that begins at `start` of a seekable source. Raises Damaged."""
    length = source.seek(0, os.SEEK_END) - start
    if length < TRAILER_LENGTH + _SHORTEST:
        raise Damaged("it is too short for an object of Securestore")
    source.seek(-TRAILER_LENGTH, os.SEEK_END)
    data = source.read(TRAILER_LENGTH)
    try:
        context = Context.decode(data[:CONTEXT_LENGTH])
    except Damaged:
        raise Damaged("there is no trailer at its end: cut short, extended, or no object") from None
    return Trailer(context, data[CONTEXT_LENGTH:])


@dataclass(frozen=True, slots=True)
class Expected:
    """What a record outside the object (an entry of a key export) says about it."""

    context: Context
    size: int
    commitment: bytes


class WholeObject:
    """An object and its data key. Everything is checked before its last byte is released.

    `source` is seekable; the object reaches from `start` to its end. With `expected` the object
    must be that very one; without, it must be sound in itself. Raises WrongKey, Damaged.
    """

    def __init__(
        self, source: BinaryIO, dek: bytes, *, expected: Expected | None = None, start: int = 0
    ) -> None:
        self._source = source
        self._start = start
        self._length = source.seek(0, os.SEEK_END) - start
        if expected is None:
            trailer = read_trailer(source, start=start)
            self.context = trailer.context
            self.keys = derive_keys(dek, self.context)
            self._check_commitment(trailer.commitment)
            self.size = self._find_size()
        else:
            self.context = expected.context
            self.keys = derive_keys(dek, self.context)
            self.keys.check(expected.commitment)
            self.size = expected.size
            if self._length != object_length(self.size):
                raise Damaged(
                    f"it has {self._length} bytes and should have {object_length(self.size)}"
                )

    def chunks(self) -> Iterator[bytes]:
        """Yield the payload of every frame. Raises Damaged."""
        decryptor = Decryptor(self.keys, self.context, self.size)
        last = frame_count(self.size) - 1
        together = lanes.at_once()
        for first in range(0, last, together):
            indices = range(first, min(first + together, last))
            tokens = [self._read(index, FRAME_LENGTH) for index in indices]
            for opened in decryptor.open_frames(first, tokens):
                if isinstance(opened, Damaged):
                    raise opened
                yield opened
        decryptor.check_trailer(self._read_at(self._length - TRAILER_LENGTH, TRAILER_LENGTH))
        yield decryptor.open_frame(last, self._last_token())

    def _check_commitment(self, commitment: bytes) -> None:
        """Tell a wrong key from a damaged trailer: the first frame knows which key is right."""
        try:
            self.keys.check(commitment)
        except WrongKey:
            if self._first_frame_opens():
                raise Damaged("the commitment in its trailer was altered") from None
            raise

    def _first_frame_opens(self) -> bool:
        codec = TokenCodec(self.keys.frame_key)
        tokens = {FRAME_LENGTH, self._length - TRAILER_LENGTH}
        for length in tokens:
            try:
                codec.open(self._read_at(0, min(length, FRAME_LENGTH)))
            except Damaged:
                continue
            return True
        return False

    def _find_size(self) -> int:
        """The size of the plaintext, from the frame directly before the trailer."""
        frames = max(1, -(-(self._length - TRAILER_LENGTH) // FRAME_LENGTH))
        if frames > MAX_FRAMES:
            raise Damaged("it is longer than any object can be")
        plaintext = TokenCodec(self.keys.frame_key).open(
            self._read(frames - 1, self._length - TRAILER_LENGTH - frame_offset(frames - 1)),
            timestamp=self.context.created_at,
        )
        if plaintext[: FRAME_PREFIX.size] != FRAME_PREFIX.pack(b"frame\0", True, frames - 1):
            raise Damaged("the frame before the trailer is not the last one")
        size = frame_offset_of_payload(frames - 1) + len(plaintext) - FRAME_PREFIX.size
        if frame_count(size) != frames or object_length(size) != self._length:
            raise Damaged("the last frame and the length of the object do not agree")
        return size

    def _last_token(self) -> bytes:
        last = frame_count(self.size) - 1
        return self._read(last, self._length - TRAILER_LENGTH - frame_offset(last))

    def _read(self, index: int, length: int) -> bytes:
        return self._read_at(frame_offset(index), length)

    def _read_at(self, offset: int, length: int) -> bytes:
        self._source.seek(self._start + offset)
        return self._source.read(length)


def frame_offset_of_payload(index: int) -> int:
    """Where the payload of frame `index` begins in the plaintext."""
    return index * FRAME_PAYLOAD


# --- Salvage -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """A frame that authenticated."""

    index: int
    final: bool
    payload: bytes


class Span(NamedTuple):
    """Bytes `[start, end)` of the plaintext; `end` is None where the size is not known."""

    start: int
    end: int | None


class Coverage:
    """Which frames were found, as few runs of them: a list of thousands of frames stays short."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.size: int | None = None

    def add(self, found: Found) -> None:
        """Note a frame. The final one tells the size."""
        if found.final:
            self.size = frame_offset_of_payload(found.index) + len(found.payload)
        at = bisect_left(self._ends, found.index)
        if at < len(self._starts) and self._starts[at] <= found.index:
            if found.index < self._ends[at]:
                return
            self._ends[at] += 1
        elif at < len(self._starts) and self._starts[at] == found.index + 1:
            self._starts[at] -= 1
        else:
            self._starts.insert(at, found.index)
            self._ends.insert(at, found.index + 1)
        if at + 1 < len(self._starts) and self._ends[at] == self._starts[at + 1]:
            del self._ends[at], self._starts[at + 1]

    @property
    def frames(self) -> int:
        """How many different frames were found."""
        return sum(self._ends) - sum(self._starts)

    def missing(self, size: int | None = None) -> list[Span]:
        """What was not found of a file of `size` bytes, or of the size that was found."""
        size = self.size if size is None else size
        spans, position = [], 0
        for start, end in zip(self._starts, self._ends, strict=True):
            if start > position:
                spans.append(
                    Span(frame_offset_of_payload(position), frame_offset_of_payload(start))
                )
            position = end
        begin = frame_offset_of_payload(position)
        if size is None:
            spans.append(Span(begin, None))
        elif begin < size or (not size and not position):
            spans.append(Span(begin, size))
        return spans


def salvage(source: BinaryIO, keys: StreamKeys, context: Context) -> Iterator[Found]:
    """Yield every frame of the stream that still authenticates, in the order they lie in.

    Bytes that were lost or put in between do no harm to the frames after them: each begins with
    the same nine bytes, and is looked for by these. The same frame may come more than once.
    """
    codec = TokenCodec(keys.frame_key)
    header = b"\x80" + context.created_at.to_bytes(8, "big")
    length = source.seek(0, os.SEEK_END)
    position: int | None = 0
    while position is not None and position + _SHORTEST <= length:
        source.seek(position)
        window = source.read(FRAME_LENGTH + TRAILER_LENGTH)
        opened = _open_any(codec, header, window, context, rest=length - position)
        if opened is None:
            position = find(source, header, position + 1)
        else:
            token, found = opened
            yield found
            position += token


def _open_any(
    codec: TokenCodec, header: bytes, window: bytes, context: Context, *, rest: int
) -> tuple[int, Found] | None:
    """The frame at the start of `window` and its length there, or None.

    Only the last frame is short, and where it ends is not written anywhere: before the trailer,
    at the end of the object, or before whatever follows.
    """
    if not window.startswith(header):
        return None
    ends = [FRAME_LENGTH, rest - TRAILER_LENGTH, rest]
    ends += [at for at in (window.find(context.encode()), window.find(header, 1)) if at > 0]
    for end in dict.fromkeys(ends):
        if not _SHORTEST <= end <= min(FRAME_LENGTH, len(window)):
            continue
        try:
            plaintext = codec.open(window[:end], timestamp=context.created_at)
        except Damaged:
            continue
        found = _parse(plaintext)
        if found is not None:
            return end, found
    return None


def _parse(plaintext: bytes) -> Found | None:
    """The parts of a frame's plaintext; None when no stream has such a frame."""
    if len(plaintext) < FRAME_PREFIX.size or plaintext[6] > 1:
        return None
    name, final, index = FRAME_PREFIX.unpack_from(plaintext)
    payload = plaintext[FRAME_PREFIX.size :]
    whole = len(payload) == FRAME_PAYLOAD
    last = final and len(payload) <= FRAME_PAYLOAD and (payload or not index)
    if name != b"frame\0" or index >= MAX_FRAMES or not (last or (whole and not final)):
        return None
    return Found(index, final, payload)


def find(source: BinaryIO, header: bytes, position: int) -> int | None:
    """Where `header` occurs next, from `position` on, or None."""
    source.seek(position)
    kept = b""
    while block := source.read(FRAME_LENGTH):
        block = kept + block
        at = block.find(header)
        if at >= 0:
            return position + at
        kept = block[-(len(header) - 1) :]
        position += len(block) - len(kept)
    return None
