"""The one way out of the store: authenticated plaintext, from any offset.

A read is one ranged GET on frame boundaries, pinned to one version of the object by its ETag and
taken up again at the same frame when the connection breaks. What the store sends ahead waits in the
socket's buffer: memory is bounded by `BATCH`, however slow the client. Never releases a byte that
has not authenticated.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from files.crypto import lanes
from files.crypto.errors import Damaged
from files.crypto.stream.decryption import Decryptor
from files.crypto.stream.keys import Context, StreamKeys
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    TRAILER_LENGTH,
    frame_at,
    frame_count,
    frame_offset,
    object_length,
)
from files.crypto.tokens import Buffer
from files.storage.errors import PreconditionFailed, StoreUnavailable
from files.storage.ranges import BrokenOff, RangeAnswer, get_range

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

BATCH = 3
"""Frames that are fetched and opened together: 768 KiB. Of more than four, malloc would give the
memory back each time (`MALLOC_MMAP_THRESHOLD_`)."""


class ObjectReader(io.RawIOBase):
    """A seekable, read-only view of one object's plaintext.

    `keys` must have been checked against the record's commitment, and `size` must come from the
    sealed record. A frame is asked for `attempts` times at most, and not again after `patience`
    seconds without one. Raises from any read: Damaged, ObjectMissing, StoreUnavailable,
    StoreRefused. Not to be shared between threads.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        name: str,
        *,
        keys: StreamKeys,
        context: Context,
        size: int,
        attempts: int = 3,
        patience: float = 60.0,
    ) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._name = name
        self._size = size
        self._frames = frame_count(size)
        self._decryptor = Decryptor(keys, context, size)
        self._attempts = attempts
        self._patience = patience
        self._etag = ""
        self._position = 0
        self._chunks: Generator[bytes] | None = None
        self._rest = memoryview(b"")

    @property
    def size(self) -> int:
        """Plaintext bytes of the whole file."""
        return self._size

    # Ranges, for whoever sends bytes on

    def chunks(
        self, start: int = 0, stop: int | None = None, *, joined: Callable[[], bool] | None = None
    ) -> Generator[bytes]:
        """Yield the plaintext bytes `[start, stop)`, a frame at a time.

        Whenever `joined` says so, the next frames that are opened together, `BATCH` at most, come
        as one. An empty file yields nothing, but its one frame is authenticated all the same.
        Closing the generator closes the connection to the store.
        """
        if start < 0:
            raise ValueError("a position is never negative")
        stop = self._size if stop is None else min(stop, self._size)
        if start >= stop and self._size:
            return
        first, last = frame_at(start), frame_at(max(stop - 1, 0))
        # One by one where several are opened no faster than one.
        length = min(BATCH, lanes.at_once())
        with closing(self._batches(first, last, length)) as batches:
            index = first
            for batch in batches:
                count = len(batch)
                for payload in self._open(index, batch, start, stop, joined):
                    if payload:
                        yield payload
                index += count

    def frames_for_now(self) -> Generator[list[Buffer]]:
        """Yield the payloads of all frames, those that are opened together at a time.

        They lie in memory of the reader's, which the next ones are written over: for who looks at
        all of it and keeps nothing. Closing the generator closes the connection to the store.
        """
        index = 0
        with closing(self._batches(0, self._frames - 1, min(BATCH, lanes.at_once()))) as batches:
            for batch in batches:
                opened = self._authenticate(index, batch)
                batch.clear()
                sound: list[Buffer] = []
                for one in opened:
                    if isinstance(one, Damaged):
                        # The second look is opened in the same memory, where those before it lie.
                        yield sound
                        sound = [self._looked_at_again(index, one)]
                    else:
                        sound.append(one)
                    index += 1
                yield sound

    def check_end(self) -> str:
        """Authenticate the last frame and the trailer; return the object's ETag."""
        for _ in self.chunks(max(self._size - 1, 0)):
            pass
        return self._etag

    def _open(
        self,
        first: int,
        batch: list[Buffer],
        start: int,
        stop: int,
        joined: Callable[[], bool] | None,
    ) -> Generator[bytes]:
        """The payloads of frames as fetched; the last one of all comes with the trailer.

        What lies in the decryptor's memory is copied once, before anything else is opened in it.
        """
        opened = self._authenticate(first, batch)
        batch.clear()
        places = range(first * FRAME_PAYLOAD, (first + len(opened)) * FRAME_PAYLOAD, FRAME_PAYLOAD)
        parts: list[memoryview | Damaged] = [
            one if isinstance(one, Damaged) else one[max(start - begin, 0) : stop - begin]
            for begin, one in zip(places, opened, strict=True)
        ]
        sound = [one for one in parts if not isinstance(one, Damaged)]
        if joined is not None and len(sound) == len(parts) and joined():
            yield b"".join(sound)
            return
        payloads = [one if isinstance(one, Damaged) else bytes(one) for one in parts]
        for number, begin in enumerate(places):
            payload, payloads[number] = payloads[number], b""
            if isinstance(payload, Damaged):
                payload = self._looked_at_again(first + number, payload)
                payload = payload[max(start - begin, 0) : stop - begin]
            yield payload

    def _looked_at_again(self, index: int, damaged: Damaged) -> bytes:
        """Bits also flip on the way. A second look decides whether the store or the wire did."""
        with closing(self._batches(index, index, 1)) as again:
            [payload] = self._authenticate(index, next(again))
        if isinstance(payload, Damaged):
            raise payload
        log.warning("frame %d of %s arrived damaged once: %s", index, self._name, damaged)
        return bytes(payload)

    def _authenticate(self, first: int, fetched: Sequence[Buffer]) -> list[memoryview | Damaged]:
        tokens = list(fetched)
        trailer: bytes | None = None
        if first + len(fetched) == self._frames:
            trailer = bytes(fetched[-1][-TRAILER_LENGTH:])
            tokens[-1] = fetched[-1][:-TRAILER_LENGTH]
        opened = self._decryptor.open_frames_for_now(first, tokens)
        if trailer is not None:
            try:
                self._decryptor.check_trailer(trailer)
            except Damaged as damaged:
                opened[-1] = damaged
        return opened

    def _fetched_length(self, index: int) -> int:
        """Bytes to fetch for a frame: for the last one, all that is left, trailer included."""
        if index < self._frames - 1:
            return FRAME_LENGTH
        return object_length(self._size) - frame_offset(index)

    def _get(self, first: int, last: int) -> RangeAnswer:
        end = frame_offset(last) + self._fetched_length(last)
        try:
            answer = get_range(
                self._client, self._bucket, self._name, frame_offset(first), end, etag=self._etag
            )
        except PreconditionFailed:
            raise Damaged("the object was replaced while it was being read") from None
        try:
            answer.expect_total(object_length(self._size))
            if self._etag not in ("", answer.etag):
                raise Damaged("the store answered with another version of the object")
        except Damaged:
            answer.close()
            raise
        self._etag = answer.etag
        return answer

    def _batches(self, first: int, last: int, length: int) -> Generator[list[Buffer]]:
        """Yield up to `length` frames at a time as they lie there; go on where one broke off.

        Of a batch that breaks, the frames that came whole are handed on: they are the way it made.
        """
        index, failures, moved = first, 0, time.monotonic()
        while index <= last:
            try:
                with self._get(index, last) as answer:
                    # The first frame alone: somebody waits for it. Also where connections break
                    # without a word, and with them all of a batch: it is the way that each makes.
                    count = 1
                    while index <= last:
                        batch, broken = self._arrived(answer, index, count)
                        if batch:
                            index, failures = index + len(batch), 0
                            yield batch
                            moved = time.monotonic()
                        if broken is not None:
                            raise broken
                        count = min(length, last - index + 1)
            except StoreUnavailable:
                failures += 1
                # What fails at once is tried again; a store that hangs has been waited for.
                waited = time.monotonic() - moved
                if failures >= self._attempts or waited >= self._patience:
                    raise

    def _arrived(
        self, answer: RangeAnswer, first: int, count: int
    ) -> tuple[list[Buffer], BrokenOff | None]:
        """The frames that came whole, and what kept the others from coming."""
        lengths = [self._fetched_length(index) for index in range(first, first + count)]
        broken: BrokenOff | None = None
        try:
            fetched = memoryview(answer.read_exactly(sum(lengths)))
        except BrokenOff as error:
            broken, fetched = error, memoryview(error.came)
        edges = [0, *accumulate(lengths)]
        frames = [fetched[start:stop] for start, stop in pairwise(edges) if stop <= len(fetched)]
        return list[Buffer](frames), broken

    # io.RawIOBase, for whoever wants a file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._require_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._require_open()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}.get(whence)
        if base is None:
            raise ValueError(f"unknown whence {whence}")
        if base + offset < 0:
            raise ValueError("a position is never negative")
        if base + offset != self._position:
            self._drop()
            self._position = base + offset
        return self._position

    def readinto(self, buffer: object, /) -> int:
        self._require_open()
        out = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if not self._rest and len(out):
            self._rest = self._next_chunk()
        count = min(len(out), len(self._rest))
        out[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self._position += count
        return count

    def _next_chunk(self) -> memoryview:
        if self._chunks is None:
            self._chunks = self.chunks(self._position)
        try:
            return memoryview(next(self._chunks, b""))
        except BaseException:
            # A generator that has raised looks exhausted: the next read would see a clean end.
            self._drop()
            raise

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _drop(self) -> None:
        if self._chunks is not None:
            self._chunks.close()
        self._chunks = None
        self._rest = memoryview(b"")

    def close(self) -> None:
        """Free the connection to the store, if one is open."""
        if not self.closed:
            self._drop()
        super().close()
