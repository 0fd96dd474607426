"""A network that fails: a proxy on loopback which cuts transfers at bytes of chance's choosing.

It knows nothing of HTTP. A connection over which a client sends more than a few bytes carries an
upload; after as many as `chance` says, it ends: closed, reset, or, once the server has answered,
without the answer. So clients that we did not write meet what they would meet on a bad network.
Where downloads are to be cut as well, what the server sends counts too.
"""

from __future__ import annotations

import random
import select
import socket
import struct

from tests.integration.passing import CHUNK, Proxy

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: the connection ends by RST (socket(7))."""


class CuttingProxy(Proxy):
    """Passes bytes on to the server at `target`, and cuts until `cuts` connections were cut.

    `least` and `most` bound the bytes that pass from the client (in `both` directions) before a
    cut; small numbers are as likely as large ones. Use as a context manager.
    """

    def __init__(
        self,
        target: int,
        chance: random.Random,
        *,
        cuts: int,
        least: int,
        most: int,
        both: bool = False,
    ) -> None:
        super().__init__(target)
        self._chance = chance
        self._bounds = (least, most)
        self._both = both
        self._left = cuts
        self.cuts = 0

    def allow(self, cuts: int) -> None:
        """Let so many more connections be cut."""
        with self._lock:
            self._left = cuts

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            least, most = self._bounds
            limit = int(least * (most / least) ** self._chance.random())
            how = self._chance.choice(["close", "reset", *([] if self._both else ["answer"])])
        passed = 0
        while True:
            ready, _, _ = select.select([client, server], [], [])
            for source, other in ((server, client), (client, server)):
                if source not in ready:
                    continue
                data = source.recv(CHUNK)
                if how == "answer" and source is server and passed > limit and self._may_cut():
                    return
                if not data:
                    return
                if self._both or source is client:
                    before, passed = passed, passed + len(data)
                    if how != "answer" and passed > limit and self._may_cut():
                        other.sendall(data[: max(0, limit - before)])
                        if how == "reset":
                            for end in (client, server):
                                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                        return
                other.sendall(data)

    def _may_cut(self) -> bool:
        with self._lock:
            if not self._left:
                return False
            self._left -= 1
            self.cuts += 1
            return True
