"""Clients that are as slow as can be: they send a byte now and then, or read one, and never end.

Each is a task of one loop, which runs in a thread beside the test. One whose connection was ended
comes again at once, as those do who mean harm.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from launcher.ports import LOOPBACK
from tests.integration.deployment import Address

EVERY = 2.0
"""Seconds between two bytes."""


@dataclass(frozen=True)
class Slow:
    """One client: what it sends at once, and what it sends byte by byte after it.

    Without `trickle` it reads byte by byte.
    """

    name: str
    head: bytes
    trickle: bytes = b""


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _let_go(connecting: asyncio.Task[Streams]) -> None:
    """Close what came after nobody waited for it any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result()[1].transport.abort()


class Campaign:
    """Runs slow clients against an address; `answers` counts what they were told, by their name."""

    def __init__(self, address: Address, clients: list[Slow]) -> None:
        self._address = address
        self._clients = clients
        self.answers: Counter[tuple[str, str]] = Counter()
        self.connected = 0
        self._connecting: set[asyncio.Task[Streams]] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Begin with all of them; they are all connected when the block begins."""
        self._ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        thread.start()
        try:
            assert self._ready.wait(120), f"{self.connected} of {len(self._clients)} are connected"
            yield
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks = [asyncio.create_task(self._be(client)) for client in self._clients]
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connecting:
            await asyncio.wait(self._connecting, timeout=60)
        for _ in range(5):  # What was let go of is closed some turns of the loop later.
            await asyncio.sleep(0)

    async def _be(self, client: Slow) -> None:
        first = True
        while True:
            with suppress(OSError):
                # Never given up half-way: a transport that is not there yet cannot be closed.
                connecting = asyncio.create_task(self._connect())
                self._connecting.add(connecting)
                connecting.add_done_callback(self._connecting.discard)
                try:
                    reader, writer = await asyncio.shield(connecting)
                except asyncio.CancelledError:
                    connecting.add_done_callback(_let_go)
                    raise
                try:
                    writer.write(client.head)
                    await writer.drain()
                    if first:
                        first = False
                        self.connected += 1
                        if self.connected == len(self._clients):
                            self._ready.set()
                    await self._go_on(client, reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(EVERY / 4)

    async def _connect(self) -> Streams:
        bare = socket.socket()
        bare.setblocking(False)
        # What is not read stays with the server.
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            await self._loop.sock_connect(bare, (LOOPBACK, self._address.port))
            if self._address.context is None:
                return await asyncio.open_connection(sock=bare, limit=1024)
            return await asyncio.open_connection(
                sock=bare, ssl=self._address.context, server_hostname=self._address.host, limit=1024
            )
        except BaseException:  # Refused, or cancelled on the way.
            bare.close()
            raise

    async def _go_on(
        self, client: Slow, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not client.trickle:
            status = await reader.readline()
            self.answers[client.name, status[9:12].decode()] += 1
            while await reader.read(1):
                await asyncio.sleep(EVERY)
            self.answers[client.name, "ended"] += 1
            return
        telling = asyncio.create_task(self._listen(client, reader))
        try:
            for byte in client.trickle:
                await asyncio.wait([telling], timeout=EVERY)
                if telling.done():
                    return
                writer.write(bytes([byte]))
        finally:
            telling.cancel()

    async def _listen(self, client: Slow, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            status = await reader.readline()
            self.answers[client.name, status[9:12].decode() or "ended"] += 1


def head(address: Address, method: str, path: str, /, **headers: str) -> bytes:
    """The head of a request."""
    lines = {"Host": address.host, **{k.replace("_", "-"): v for k, v in headers.items()}}
    told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode()
