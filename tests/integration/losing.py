"""A network that loses answers: a proxy on loopback that ends connections between work and answer.

The server has done what it was asked for, and its client does not hear of it.

It tells requests from each other by their first lines: a connection carries one at a time.
"""

from __future__ import annotations

import re
import select
import socket

from tests.integration.passing import CHUNK, Proxy

GAVE_UP = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What a proxy says that waited no longer: of the work it knows nothing."""


class LosingProxy(Proxy):
    """Passes everything on to the server at `target`, but the answers that it is told to lose.

    Use as a context manager.
    """

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self._wanted: re.Pattern[str] | None = None
        self._left = 0
        self._says = b""
        self.lost: list[str] = []
        """The first lines of the requests whose answers were lost."""

    def lose(self, wanted: str, times: int = 1, *, says: bytes = b"") -> None:
        """Lose the next answers to requests whose first line has this in it, a pattern.

        The connection ends, with `says` in the place of the answer.
        """
        with self._lock:
            self._wanted, self._left, self.lost = re.compile(wanted), times, []
            self._says = says

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        line, is_answered = "", True
        while True:
            ready, _, _ = select.select([client, server], [], [])
            for source, other in ((client, server), (server, client)):
                if source not in ready:
                    continue
                data = source.recv(CHUNK)
                if not data:
                    return
                if source is client and is_answered:
                    line, is_answered = data.partition(b"\r\n")[0].decode("latin-1"), False
                elif source is server and not is_answered:
                    # The server answers what it has done: all of it stands by now.
                    if self._loses(line):
                        client.sendall(self._says)
                        return
                    is_answered = True
                other.sendall(data)

    def _loses(self, line: str) -> bool:
        with self._lock:
            if not self._left or self._wanted is None or not self._wanted.search(line):
                return False
            self._left -= 1
            self.lost.append(line)
            return True
