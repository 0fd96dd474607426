"""Tails: whole frames of a suspended upload that do not fill a part, as objects beside the object.

A tail has been in the store's hands: every frame of it is authenticated before it becomes the
file's. Must never delete one: that is for whoever has noted that its frames are safe elsewhere.
"""

from __future__ import annotations

import logging
import secrets
from typing import IO, TYPE_CHECKING, cast

from files.crypto import lanes
from files.crypto.errors import Damaged
from files.crypto.stream.decryption import Decryptor
from files.crypto.stream.keys import Context, StreamKeys
from files.crypto.stream.layout import FRAME_LENGTH, MAX_SIZE, frame_offset
from files.storage.body import BufferBody
from files.storage.errors import StoreUnavailable, store_errors
from files.storage.progress import Tail
from files.storage.ranges import get_range

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/octet-stream"


def put(client: S3Client, bucket: str, name: str, frames: memoryview) -> Tail:
    """Put whole frames into a new tail of the object `name`. Raises StoreError."""
    tail = Tail(f"{name}.{secrets.token_hex(8)}", len(frames) // FRAME_LENGTH)
    with BufferBody(frames) as body, store_errors("put a tail"):
        client.put_object(
            Bucket=bucket,
            Key=tail.name,
            Body=cast("IO[bytes]", body),
            ContentType=CONTENT_TYPE,
            IfNoneMatch="*",
        )
    return tail


def fetch(
    client: S3Client,
    bucket: str,
    tails: tuple[Tail, ...],
    into: bytearray,
    *,
    keys: StreamKeys,
    context: Context,
    first_frame: int,
) -> None:
    """Bring the frames of the tails to the beginning of the part that they belong to.

    `first_frame` is the number of the part's first frame in the stream. Raises Damaged, StoreError.
    """
    start = 0
    for tail in tails:
        check = Decryptor(keys, context, MAX_SIZE)
        try:
            _fetch(client, bucket, tail, into, start, check, first_frame)
        except (Damaged, StoreUnavailable) as error:
            # Connections break and bits flip on the way: a second look decides.
            log.warning("%s arrived broken once: %s", tail.name, error)
            check = Decryptor(keys, context, MAX_SIZE)
            _fetch(client, bucket, tail, into, start, check, first_frame)
        start += tail.frames


def _fetch(
    client: S3Client,
    bucket: str,
    tail: Tail,
    into: bytearray,
    start: int,
    check: Decryptor,
    first_frame: int,
) -> None:
    """Bring one tail, whose frames begin at frame `start` of the part."""
    length = tail.frames * FRAME_LENGTH
    with get_range(client, bucket, tail.name, 0, length) as answer:
        answer.expect_total(length)
        end, together = start + tail.frames, lanes.at_once()
        for first in range(start, end, together):
            count = min(together, end - first)
            tokens = [answer.read_exactly(FRAME_LENGTH) for _ in range(count)]
            for opened in check.open_frames(first_frame + first, tokens):
                if isinstance(opened, Damaged):
                    raise opened
            into[frame_offset(first) : frame_offset(first + count)] = b"".join(tokens)
