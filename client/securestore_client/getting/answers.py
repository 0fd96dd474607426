"""Answers with bytes: asked for from where they go on, and read block by block."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from ..api import content_of, key_header
from ..errors import Different
from ..progress import Progress
from ..transport import BLOCK, Answer, Server, refusal


class Changed(Exception):
    """The file at the site is another version than at the beginning."""


class Answers:
    """Asks one site for bytes, with the key of a locked file where there is one."""

    def __init__(self, server: Server, progress: Progress, key: str | None = None) -> None:
        self.server = server
        self.progress = progress
        self._key = key

    def ask(self, path: str, said: dict[str, str], offset: int | None) -> Bytes:
        """A GET whose answer is yet to be read; from `offset` on, where it goes on.

        Raises Changed, Different, Refused, and as a broken connection does.
        """
        response = self.server.send("GET", path, said | key_header(self._key))
        if response.status in {200, 206}:
            found = response.headers.get("Content-Range", "")
            if offset is None and response.status == 200:
                return Bytes(self.server, response)
            if response.status == 206 and found.startswith(f"bytes {offset}-"):
                return Bytes(self.server, response)
            if offset == 0 and response.status == 200:
                return Bytes(self.server, response)
            self.server.drop()
            raise Changed
        refused = refusal(Answer(response.status, response.headers, response.read()))
        if response.status == 412:
            raise Changed
        if response.status == 502:
            raise Different(f"It is damaged there: {refused}")
        raise refused


class Bytes:
    """An answer with bytes, block by block. What is not read of it costs the connection."""

    def __init__(self, server: Server, response: http.client.HTTPResponse) -> None:
        self._server = server
        self._response = response
        self._buffer = memoryview(bytearray(BLOCK))
        self.content = content_of(Answer(response.status, response.headers, b""))

    def __enter__(self) -> Bytes:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None or not self._response.isclosed():
            self._server.drop()

    def blocks(self) -> Iterator[memoryview]:
        """What comes, until it ends: where the connection broke, too early."""
        while count := self._response.readinto(self._buffer):
            yield self._buffer[:count]
