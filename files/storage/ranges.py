"""One ranged GET: the store's answer, distrusted and read exactly.

Never returns fewer bytes than asked for: a short answer is an error, whatever its headers said.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from files.crypto.errors import Damaged
from files.storage.errors import StoreRefused, StoreUnavailable, store_errors

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class BrokenOff(StoreUnavailable):
    """The body ended early; `came` is what of the bytes that were asked for had come by then."""

    def __init__(self, words: str, came: bytes) -> None:
        super().__init__(words)
        self.came = came


class RangeAnswer:
    """The open body of a ranged GET. Close it: an unread rest gives its connection up."""

    def __init__(self, body: StreamingBody, etag: str, total: int) -> None:
        self._body = body
        self.etag = etag
        self.total = total

    def expect_total(self, length: int) -> None:
        """Raise Damaged unless the whole object has exactly `length` bytes."""
        if self.total != length:
            raise Damaged(
                f"the object has {self.total} bytes, its record says {length}",
                another_length=True,
            )

    def read_exactly(self, length: int) -> bytes:
        """The next `length` bytes. Raises BrokenOff when the body ends before them."""
        pieces: list[bytes] = []
        missing = length
        try:
            with store_errors("read an object"):
                while missing:
                    piece = self._body.read(missing)
                    if not piece:
                        raise StoreUnavailable("read an object: the body ended early")
                    pieces.append(piece)
                    missing -= len(piece)
        except StoreUnavailable as broken:
            raise BrokenOff(str(broken), b"".join(pieces)) from broken.__cause__
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the connection, or give it back when the body was read to its end."""
        self._body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def get_range(
    client: S3Client, bucket: str, name: str, start: int, end: int, *, etag: str = ""
) -> RangeAnswer:
    """GET the bytes `[start, end)` of an object; with `etag`, of exactly that version of it.

    Raises ObjectMissing, PreconditionFailed (another version), Damaged (the object is shorter
    than `start`), StoreUnavailable, StoreRefused.
    """
    pinned: dict[str, Any] = {"IfMatch": etag} if etag else {}
    with store_errors("get an object"):
        answer = client.get_object(
            Bucket=bucket, Key=name, Range=f"bytes={start}-{end - 1}", **pinned
        )
    body = answer["Body"]
    said = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
    if said is None:
        body.close()
        raise StoreRefused("get an object: the store does not honour ranges")
    first, last, total = (int(number) for number in said.groups())
    if first != start or last >= end:
        body.close()
        raise StoreRefused("get an object: the store answered with another range")
    return RangeAnswer(body, answer["ETag"], total)
