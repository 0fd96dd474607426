"""A buffer as the body of a request to the store, without a copy of it.

botocore copies a `bytearray` before it sends it, and urllib3 takes bodies 16 KiB at a time: for a
part of 8 MiB that is its memory twice, and 512 turns at the interpreter lock. Never outlives its
request: the buffer is another part's afterwards.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from files.crypto.tokens import Buffer

SMALL = 64 * 1024
"""Bytes of a body that is copied."""

PIECE = 1024 * 1024
"""Bytes that one `read` returns, at least, where there are so many."""


@contextmanager
def body_of(buffer: Buffer) -> Iterator[bytes | IO[bytes]]:
    """The body of one request.

    Of a file-like one botocore asks the store whether to send it (`Expect: 100-continue`), and
    waits for the answer: to copy a small one takes less.
    """
    if len(memoryview(buffer)) <= SMALL:
        yield bytes(buffer)
        return
    with BufferBody(buffer) as body:
        yield cast("IO[bytes]", body)


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
