"""Where the parts of a multipart form end, found without a copy of what is in them.

Django's own search joins each piece of a body with the end of the one before, cuts the next end off
twice, and hands on pieces that begin anywhere: four copies of every byte. Here a piece goes on as
it was read, but where its last bytes may be the beginning of a boundary. What is found is the same,
whatever the pieces are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from django.http import multipartparser

_FIRST: Final = re.compile(rb"[\r\n-]")
"""What the end of a part may begin with."""


class Pieces(multipartparser.BoundaryIter):
    """The pieces of one part, up to its boundary, as Django's but for where they begin and end."""

    _stream: multipartparser.LazyStream
    _done: bool
    _find_boundary: Callable[[bytes], tuple[int, int] | None]

    def __init__(self, stream: multipartparser.LazyStream, boundary: bytes) -> None:
        """Raises InputStreamExhausted where there is no part any more."""
        super().__init__(stream, boundary)
        # The line end before a boundary belongs to it; so does one that is only half of it.
        self._ends = tuple(end + boundary for end in (b"\r\n", b"\n", b"\r", b""))

    def __next__(self) -> bytes:
        if self._done:
            raise StopIteration
        waiting = b""
        for read in self._stream:
            piece = waiting + read if waiting else read
            if found := self._find_boundary(piece):
                end, after = found
                self._stream.unget(piece[after:])
                self._done = True
                return piece[:end]
            begins = len(piece) - self._may_follow(piece)
            if not begins:
                waiting = piece
            elif begins < len(piece):
                # Whoever reads on finds them, also where the rest of this part is left.
                self._stream.unget(piece[begins:])
                return piece[:begins]
            else:
                return piece
        self._done = True
        if not waiting:
            raise StopIteration
        return waiting

    def _may_follow(self, piece: bytes) -> int:
        """How many bytes at the end may be the beginning of what ends the part."""
        tail = piece[1 - len(self._ends[0]) :]
        for first in _FIRST.finditer(tail):
            rest = tail[first.start() :]
            if any(end.startswith(rest) for end in self._ends):
                return len(rest)
        return 0
