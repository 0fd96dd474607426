"""One range of a file on its way into its place."""

from __future__ import annotations

from typing import Final

from ..errors import Refused, Unreachable
from ..transport import AGAIN, BROKEN, Trying
from .answers import Answers
from .pieces import Pieces

NOTED_EVERY: Final = 4 * 1024 * 1024
"""Bytes after which it is noted how far a range is: what a kill costs, for each of them."""


class Range:
    """A range, fetched by one thread."""

    def __init__(self, answers: Answers, path: str, pieces: Pieces, start: int, end: int) -> None:
        self._answers = answers
        self._path = path
        self._pieces = pieces
        self._at, self._noted, self._end = start, start, end

    def fetch(self) -> None:
        """Fetch all of it, going on after cuts. Raises ClientError, Changed."""
        server = self._answers.server
        trying = Trying(server.patience)
        while self._at < self._end:
            said = {
                "Range": f"bytes={self._at}-{self._end - 1}",
                "If-Match": self._pieces.known.etag,
            }
            before = self._at
            try:
                with self._answers.ask(self._path, said, self._at) as answer:
                    for block in answer.blocks():
                        self._take(block)
                if self._at < self._end:
                    raise Unreachable("The connection ended before the file did.")
            except (*BROKEN, Unreachable) as error:
                if self._at > before:
                    trying.got_on()
                trying.again(error, server)
            except Refused as refused:
                if refused.status not in AGAIN:
                    raise
                trying.again(refused, server)
        self._pieces.note(self._noted, self._end)

    def _take(self, block: memoryview) -> None:
        self._pieces.write(self._at, block)
        self._at += len(block)
        self._answers.progress.moved(len(block))
        if self._at - self._noted >= NOTED_EVERY:
            self._pieces.note(self._noted, self._at)
            self._noted = self._at
