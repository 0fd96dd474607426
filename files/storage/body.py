"""The body of a request to the store: a buffer, without a copy of it, and small ones at once.

botocore copies a `bytearray` before it sends it, and urllib3 takes bodies 16 KiB at a time: for a
part of 8 MiB that is its memory twice, and 512 turns at the interpreter lock. Never outlives its
request: the buffer is another part's afterwards.
"""

from __future__ import annotations

import io
from typing import Any

from botocore.utils import determine_content_length

from files.crypto.tokens import Buffer

PIECE = 1024 * 1024
"""Bytes that one `read` returns, at least, where there are so many."""

SMALL = 64 * 1024
"""Bytes of a body that is sent without asking whether to send it."""


def send_small_at_once(params: dict[str, Any], **_: object) -> None:
    """A handler of botocore's, for `before-call`.

    It asks the store before it sends any body (`Expect: 100-continue`, RFC 9110, 10.1.1), and waits
    for the answer: for a small one that takes longer than to send it in vain.
    """
    length = determine_content_length(params.get("body") or b"")
    if length is not None and length <= SMALL:
        params["headers"].pop("Expect", None)


class BufferBody(io.RawIOBase):
    """The bytes of `buffer`, to be read from the start, and again after a `seek`.

    The buffer must not change or be resized while the request runs.
    """

    def __init__(self, buffer: Buffer) -> None:
        super().__init__()
        self._view = memoryview(buffer)
        self._position = 0

    def __len__(self) -> int:
        return len(self._view)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> memoryview:
        """The next bytes: `size` of them or `PIECE`, whatever is more; all of them for -1.

        More than asked for, and not copied, is what makes it fast: its only readers take what
        they get, and hand it to a hash or a socket.
        """
        start, end = self._position, len(self._view)
        if size is not None and size >= 0:
            end = min(end, start + max(size, PIECE))
        self._position = end
        return self._view[start:end]

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._view)}[whence]
        self._position = min(max(base + offset, 0), len(self._view))
        return self._position

    def close(self) -> None:
        """Let the buffer go."""
        self._view.release()
        super().close()
