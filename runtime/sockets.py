"""The connections that clients have to this process, as the kernel knows them.

A web server for WSGI tells an application neither the socket of a request nor how long its client
has been silent, and Granian has no time-out of its own for bodies and for readers. Both are found
here, among the process's own descriptors. Linux only: elsewhere there are none. Nothing of what is
sent is ever read here; what is done to a connection is to end it, and to let little wait in it.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import stat
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

DESCRIPTORS: Final = Path("/proc/self/fd")

# struct tcp_info of linux/tcp.h up to tcpi_bytes_received: eight bytes, 24 numbers of 32 bits, four
# of 64. Kernels only ever add to its end.
_INFO: Final = struct.Struct("=8x24I4Q")
_RECEIVED_AGO, _BYTES_ACKED, _BYTES_RECEIVED = 11, 26, 27

_NOTSENT_LOWAT: Final = 25  # linux/tcp.h; Python 3.11 has no name for it on every system.
_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: at the end of the connection, what was not taken is thrown away (socket(7))."""


UNSENT: Final = 128 * 1024
"""Bytes of an answer that the kernel takes beyond those on their way (`TCP_NOTSENT_LOWAT`, tcp(7)).

Without a bound it takes four MiB, which a slow client gets long after its access has ended. What is
on its way is as much as the line takes at once, so a fast one is as fast with it.
"""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection of a client's: a descriptor, and the inode that tells it from a later one."""

    descriptor: int
    inode: int
    peer: str
    """The client's address, as `same_address` writes it."""


@dataclass(frozen=True, slots=True)
class State:
    """How a connection stands."""

    received: int
    """Bytes that ever came."""
    taken: int
    """Bytes that were sent and that the other side has acknowledged."""
    unread: int
    """Bytes that came and that the web server has not read."""
    untaken: int
    """Bytes that were sent and not acknowledged, or not even sent."""
    heard: float
    """When the last byte came, by the monotonic clock."""


class Connections:
    """The clients' connections of this process; asked again and again, as cheap as can be."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Connection | None] = {}
        self._ports: set[int] = set()

    def all(self) -> list[Connection]:
        """Those of now. What is listening, and what we have called ourselves, is none."""
        sockets = dict(_own_sockets())
        new = [key for key in sockets.items() if key not in self._known]
        kept = {key: found for key, found in self._known.items() if sockets.get(key[0]) == key[1]}
        # Accepted connections have the port that the server listens on; other ports are ours.
        for descriptor, _ in new:
            if port := _listening(descriptor):
                self._ports.add(port)
                _let_little_wait(descriptor)  # And in all that are accepted from now on.
        for descriptor, inode in new:
            peer = _peer(descriptor, self._ports)
            kept[descriptor, inode] = Connection(descriptor, inode, peer) if peer else None
            if peer:
                _let_little_wait(descriptor)
        self._known = kept
        return [found for found in kept.values() if found is not None]


def state_of(connection: Connection) -> State | None:
    """How it stands; None when it has ended."""
    with suppress(OSError), _borrowed(connection.descriptor) as found:
        info = _INFO.unpack_from(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size))
        return State(
            received=info[_BYTES_RECEIVED],
            taken=info[_BYTES_ACKED],
            unread=_queued(found, termios.FIONREAD),
            untaken=_queued(found, termios.TIOCOUTQ),
            heard=time.monotonic() - info[_RECEIVED_AGO] / 1000,
        )
    return None


def stop_listening_to(connection: Connection) -> None:
    """Let the web server read the end of what the client sends. It can still be answered."""
    _shut_down(connection, socket.SHUT_RD)


def cut(connection: Connection) -> None:
    """End it both ways, at once. What the client has not taken by now it never gets."""
    _shut_down(connection, socket.SHUT_RDWR, discard=True)


def _shut_down(connection: Connection, how: int, *, discard: bool = False) -> None:
    # A copy of the descriptor stays what it is, whatever the web server closes meanwhile.
    try:
        copy = os.dup(connection.descriptor)
    except OSError:
        return
    with suppress(OSError), socket.socket(fileno=copy) as found:
        if os.fstat(copy).st_ino != connection.inode:
            return
        if discard:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        found.shutdown(how)


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """A socket object over a descriptor of somebody else's, which it does not close."""
    found = socket.socket(fileno=descriptor)
    try:
        yield found
    finally:
        found.detach()


def _own_sockets() -> Iterator[tuple[int, int]]:
    try:
        descriptors = [int(path.name) for path in DESCRIPTORS.iterdir()]
    except OSError:
        return
    for descriptor in descriptors:
        # It may have been closed since the folder was read.
        with suppress(OSError):
            found = os.fstat(descriptor)
            if stat.S_ISSOCK(found.st_mode):
                yield descriptor, found.st_ino


def _listening(descriptor: int) -> int:
    """The port that the socket listens on; 0 where it does not."""
    with suppress(OSError), _borrowed(descriptor) as found:
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return _port(found.getsockname())
    return 0


def _let_little_wait(descriptor: int) -> None:
    with suppress(OSError), _borrowed(descriptor) as found:
        found.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT)


def _peer(descriptor: int, ports: set[int]) -> str:
    """The address of the client at the other end; empty where there is none."""
    with suppress(OSError), _borrowed(descriptor) as found:
        if _port(found.getsockname()) in ports:
            return same_address(found.getpeername()[0])
    return ""


def same_address(text: str) -> str:
    """An IP address as it is always written here; whatever else it is, as it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    # A socket that listens on both families shows IPv4 clients as ::ffff:192.0.2.1.
    return str(getattr(address, "ipv4_mapped", None) or address)


def _port(address: object) -> int:
    # Of a Unix socket it is a path.
    return int(address[1]) if isinstance(address, tuple) else 0


def _queued(found: socket.socket, which: int) -> int:
    number = array.array("i", [0])
    fcntl.ioctl(found.fileno(), which, number)
    return number[0]
