"""What a writer asks of the store for its one object, and what it knows of the answers.

A small object is one request, any other a multipart upload. An answer may be lost though the work
was done, so it is known apart what was sent, what was confirmed, and what may still happen. Must
never overwrite an object, nor delete one that somebody else wrote.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, cast

from files.crypto.errors import Damaged
from files.crypto.stream.layout import TRAILER_LENGTH
from files.storage.body import BufferBody
from files.storage.errors import (
    ObjectMissing,
    PreconditionFailed,
    StoreError,
    StoreUnavailable,
    may_still_happen,
    store_errors,
)
from files.storage.ranges import get_range
from files.storage.tails import CONTENT_TYPE

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)


class ObjectRequests:
    """The requests for one object. Of its methods, `upload_part` alone is for other threads.

    `multipart_id` is that of a multipart upload that was begun before. Each raises StoreError.
    """

    def __init__(self, client: S3Client, bucket: str, name: str, *, multipart_id: str) -> None:
        self._client = client
        self._bucket = bucket
        self._name = name
        self.multipart_id = multipart_id
        """Of the multipart upload; empty where there is none, or its answer did not arrive."""
        self.multipart_begun = bool(multipart_id)
        """Whether the store was asked to begin one."""
        self.in_doubt = False
        """Whether the object may still appear, though it could not be completed."""
        self._sent = False
        self._confirmed = False

    def begin_multipart(self) -> None:
        """Begin a multipart upload; its id is known afterwards."""
        self.multipart_begun = True
        with store_errors("begin a multipart upload"):
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=self._name, ContentType=CONTENT_TYPE
            )
        self.multipart_id = answer["UploadId"]

    def upload_part(self, number: int, buffer: bytearray, length: int) -> str:
        """On a thread of its own: the part's ETag."""
        with (
            memoryview(buffer)[:length] as part,
            BufferBody(part) as body,
            store_errors("upload a part"),
        ):
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._name,
                UploadId=self.multipart_id,
                PartNumber=number,
                Body=cast("IO[bytes]", body),
            )
        return answer["ETag"]

    def complete(self, etags: Sequence[str]) -> None:
        """Complete the multipart upload from the parts with these ETags, in order."""
        with self._verified_anyway(), store_errors("complete the upload"):
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._name,
                UploadId=self.multipart_id,
                MultipartUpload={
                    "Parts": [
                        {"ETag": etag, "PartNumber": number}
                        for number, etag in enumerate(etags, start=1)
                    ]
                },
                IfNoneMatch="*",
            )

    def put(self, buffer: bytearray, length: int) -> None:
        """Put the first `length` bytes of the buffer as the whole object."""
        with (
            memoryview(buffer)[:length] as whole,
            BufferBody(whole) as body,
            self._verified_anyway(),
            store_errors("put an object"),
        ):
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._name,
                Body=cast("IO[bytes]", body),
                ContentType=CONTENT_TYPE,
                IfNoneMatch="*",
            )

    @contextmanager
    def _verified_anyway(self) -> Iterator[None]:
        """Make the object, or doubt it: the check of the object itself decides.

        A lost answer makes boto3 ask again, and the second time the upload is gone or the name
        taken, by ourselves.
        """
        self._sent = True
        try:
            with suppress(ObjectMissing, PreconditionFailed):
                yield
                self._confirmed = True
        except StoreUnavailable as error:
            self.in_doubt = may_still_happen(error)
            raise

    def take_back(self, trailer: bytes, end: int) -> bool:
        """Take back whatever was sent; whether nothing of it is left. Never raises.

        `trailer` is what our own object, of `end` bytes, ends with.
        """
        # A multipart upload whose id never arrived can only be found by listing.
        known = self.multipart_begun == bool(self.multipart_id)
        try:
            ours = self._is_ours(trailer, end)
        except StoreError as error:
            log.warning("left for the sweep: %s (%s)", self._name, error)
            ours = known = False
        gone = discard(self._client, self._bucket, self._name, self.multipart_id, whole=ours)
        return gone and known

    def _is_ours(self, trailer: bytes, end: int) -> bool:
        """Whether there is an object under our name that we wrote. Raises StoreError."""
        if self._confirmed or not self._sent:
            return self._confirmed
        start = end - TRAILER_LENGTH
        with (
            suppress(ObjectMissing, Damaged),
            get_range(self._client, self._bucket, self._name, start, end) as answer,
        ):
            return answer.read_exactly(TRAILER_LENGTH) == trailer
        return False


def discard(client: S3Client, bucket: str, name: str, multipart_id: str, *, whole: bool) -> bool:
    """Abort the multipart upload, if there is one, and delete the object if it may exist.

    Returns whether the store confirmed that nothing is left; never raises.
    """
    try:
        if multipart_id:
            with suppress(ObjectMissing), store_errors("abort a multipart upload"):
                client.abort_multipart_upload(Bucket=bucket, Key=name, UploadId=multipart_id)
        if whole:
            with suppress(ObjectMissing), store_errors("delete an object"):
                client.delete_object(Bucket=bucket, Key=name)
    except (StoreError, Damaged) as error:
        log.warning("left for the sweep: %s (%s)", name, error)
        return False
    return True
