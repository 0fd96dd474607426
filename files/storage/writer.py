"""The one way into the store: plaintext in, a verified object of stream format 1 out.

Frames are encrypted straight into the buffer of the next part while the parts before it travel.
Each writer has two buffers of a part; a few more are there for whichever writers come first, so
that one alone is fast and many together stay small. An object that was not committed does not
exist: any exception aborts. Never writes plaintext anywhere, never overwrites an object, never
deletes one that somebody else wrote.

A writer can also be suspended, and another one, in another process, continues (docs/uploads.md).
What does not fill a part then waits as a *tail*, an object of whole frames beside the object, and
what does not fill a frame as a *carry*, which is small and which the caller keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from files.crypto.carry import open_carry, seal_carry
from files.crypto.errors import StreamTooLong
from files.crypto.stream.encryption import Encryptor
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    MAX_PARTS,
    PART_FRAMES,
    frames_per_part,
    object_length,
)
from files.crypto.tokens import Buffer
from files.storage.digesting import DigestsBeside
from files.storage.object_requests import ObjectRequests
from files.storage.parts import Parts
from files.storage.progress import Progress, SealedObject
from files.storage.reader import ObjectReader
from files.storage.tails import fetch, put

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class ObjectWriter:
    """Writes one object. Use as a context manager; leaving it without `commit` aborts.

    `size`, where it is known, is the plaintext's length in bytes and chooses the part size; with
    `exact` no other length can be committed, and no full frame waits to learn whether it is last.
    `on_multipart` is told the id of a multipart upload before its first part is sent, so that
    somebody can abort it should this process die. `resume` continues a suspended writer, and
    `on_progress` is told what has become safe after each confirmed part; both run on the caller's
    thread. Of what is not the `whole`, SHA-256 is not taken: nobody can go on with it. Not to be
    shared between threads. Raises Damaged for a carry that does not open.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        name: str,
        *,
        dek: bytes,
        context: Context,
        size: int | None = None,
        exact: bool = False,
        on_multipart: Callable[[str], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        resume: Progress | None = None,
        whole: bool,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._name = name
        self._context = context
        self._dek = dek
        self._keys = derive_keys(dek, context)
        self._on_multipart = on_multipart
        self._on_progress = on_progress
        before = resume or Progress(frames_per_part(size))
        self._part_frames = before.part_frames
        self._part_length = before.part_frames * FRAME_LENGTH
        # The frames of the tails are fetched only when their part is about to be sent.
        self._tails = before.tails
        self._in_tails = self._used = before.waiting_frames * FRAME_LENGTH
        self._part = bytearray(self._used)
        self._encryptor = Encryptor(
            dek,
            context,
            self._reserve,
            first_frame=before.frames,
            size=size if exact else None,
            part_frames=before.part_frames,
        )
        self._digests = DigestsBeside(dek, context, before, whole=whole)
        if before.carry:
            carried = open_carry(dek, context, before.frames, before.carry)
            self._encryptor.update(carried)
            self._digests.take(carried, None)
        # Parts of huge files are larger than those that the shared buffers are meant for.
        may_share = before.part_frames == PART_FRAMES
        self._requests = ObjectRequests(client, bucket, name, multipart_id=before.multipart_id)
        self._parts = Parts(self._requests.upload_part, etags=before.etags, may_share=may_share)
        self._open = True

    @property
    def size(self) -> int:
        """Plaintext bytes taken so far."""
        return self._encryptor.size

    @property
    def chain(self) -> bytes | None:
        """The content chain of the plaintext taken so far; None where its beginning has none."""
        digests = self._digests.digests()
        return digests.chain if digests else None

    @property
    def in_doubt(self) -> bool:
        """Whether the object may still appear, though it could not be committed."""
        return self._requests.in_doubt

    def write(self, data: Buffer) -> int:
        """Take the next bytes of plaintext; chunks may have any length.

        Raises StoreUnavailable or StoreRefused when a part could not be sent, StreamTooLong when
        so much more comes than was declared that the store has no number for the next part.
        """
        if not self._open:
            raise ValueError("the writer is closed")
        changes = self._digests.take(data, self._parts.pool)
        self._encryptor.update(data)
        if changes:
            self._digests.finish()
        if self._used >= self._part_length:
            # Frames come a few at a time: the next ones may be long in coming.
            self._send_part()
        if self._parts.one_has_arrived:
            # A slow client fills no other part for long: what is safe is told before that.
            self._arrive(timeout=0)
        return len(data)

    def commit(self) -> SealedObject:
        """Send the rest, then read the end back from the store and authenticate it.

        Raises StoreError when the store failed, Damaged when it returns other bytes than it was
        given. Either way nothing is left behind that a sweep of this name would not find.
        """
        if not self._open:
            raise ValueError("the writer is closed")
        self._encryptor.finish()
        if self._requests.multipart_id:
            while self._used:
                self._send_part()
            self._wait(tell=False)
            self._requests.complete(self._parts.etags)
        else:
            self._fetch_tails()
            self._requests.put(self._part, self._used)
        etag = self._verify()
        self._close()
        size = self._encryptor.size
        return SealedObject(
            self._name,
            size,
            object_length(size),
            etag,
            self._encryptor.commitment,
            self._digests.digests(),
        )

    def suspend(self) -> Progress:
        """Make all that was taken so far safe, and close; another writer may `resume` it.

        Raises StoreError; what was told to `on_progress` last then remains what is safe.
        """
        if not self._open:
            raise ValueError("the writer is closed")
        # Before anything else: it writes the frames that it had kept together.
        carry = self._encryptor.suspend()
        if self._used == self._part_length:
            # Another frame will follow, in another part: this one is complete.
            self._send_part()
        self._wait()
        offset = self._encryptor.size
        tails = self._tails
        if self._used > self._in_tails:
            with memoryview(self._part)[self._in_tails : self._used] as waiting:
                tails = (*tails, put(self._client, self._bucket, self._name, waiting))
        frames = len(self._parts.etags) * self._part_frames + sum(tail.frames for tail in tails)
        sealed = seal_carry(self._dek, self._context, frames, carry) if carry else b""
        self._close()
        return Progress(
            self._part_frames,
            self._requests.multipart_id,
            tuple(self._parts.etags),
            tails,
            sealed,
            offset,
            self._digests.chain_after(frames),
        )

    def release(self) -> None:
        """Close, and leave in the store what is there: somebody may still resume it."""
        if not self._open:
            return
        self._close()

    def abort(self) -> bool:
        """Take back whatever was sent; whether nothing of it is left. Nothing after a commit.

        Never raises: what it cannot reach, a sweep will.
        """
        if not self._open:
            return False
        # This lets the part in flight land, or the store would keep it after the abort.
        self._close()
        trailer = self._context.encode() + self._keys.commitment
        return self._requests.take_back(trailer, object_length(self._encryptor.size))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abort()

    def _reserve(self, length: int) -> memoryview:
        if self._used >= self._part_length:
            self._send_part()
        # A part holds whole frames, so only the trailer can go beyond its end: see _send_part.
        start, self._used = self._used, self._used + length
        if self._used > len(self._part):
            # A buffer grows with what is written, for a declared size costs its declarer nothing.
            # By doubling, in place: pieces that are given back in all sizes stay with the process.
            more = min(len(self._part), self._part_length - len(self._part))
            self._part.extend(bytes(max(more, self._used - len(self._part))))
        return memoryview(self._part)[start : self._used]

    def _send_part(self) -> None:
        """Hand the full buffer to a thread that sends it, and go on with another one."""
        if not self._requests.multipart_begun:
            self._begin_multipart()
        self._make_room()
        self._fetch_tails()
        if self._parts.next_number > MAX_PARTS:
            raise StreamTooLong(f"{MAX_PARTS} parts do not hold more than the declared size")
        body = self._part
        length = min(self._used, self._part_length)
        # Some stores demand that all parts but the last are equal: the trailer's end goes alone.
        beyond = body[length : self._used]
        self._part = self._parts.spare(len(body))
        self._part[: len(beyond)] = beyond
        self._used = len(beyond)
        self._parts.send(body, length)

    def _make_room(self) -> None:
        self._arrive(timeout=0)
        if not self._parts.has_room():
            self._arrive()

    def _wait(self, *, tell: bool = True) -> None:
        """Wait for all parts that travel, and tell that they are safe."""
        while self._parts.are_travelling:
            self._arrive(tell=tell)

    def _arrive(self, *, timeout: float | None = None, tell: bool = True) -> None:
        """Wait for whichever part is there first, and tell up to where all parts are safe."""
        if not self._parts.arrive(timeout):
            return
        frames = len(self._parts.etags) * self._part_frames
        if tell and self._on_progress is not None:
            self._on_progress(
                Progress(
                    self._part_frames,
                    self._requests.multipart_id,
                    tuple(self._parts.etags),
                    offset=frames * FRAME_PAYLOAD,
                    chain=self._digests.chain_after(frames),
                )
            )
        self._digests.forget(frames)

    def _fetch_tails(self) -> None:
        """Bring the tails' frames. They stay until the caller has noted that the part is safe."""
        first = len(self._parts.etags) * self._part_frames
        fetch(
            self._client,
            self._bucket,
            self._tails,
            self._part,
            keys=self._keys,
            context=self._context,
            first_frame=first,
        )
        self._tails, self._in_tails = (), 0

    def _begin_multipart(self) -> None:
        self._requests.begin_multipart()
        if self._on_multipart is not None:
            self._on_multipart(self._requests.multipart_id)

    def _verify(self) -> str:
        """Read the last frame and the trailer back; return the object's ETag."""
        with ObjectReader(
            self._client,
            self._bucket,
            self._name,
            keys=self._keys,
            context=self._context,
            size=self._encryptor.size,
        ) as reader:
            return reader.check_end()

    def _close(self) -> None:
        self._open = False
        self._parts.close()
        self._part = bytearray()
