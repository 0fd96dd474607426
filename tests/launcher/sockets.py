"""Every socket on which a process and all below it listen, as the kernel tells it, not they."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LISTENING = "0A"  # tcp_states.h: TCP_LISTEN
ACCEPTS = 0x10000  # net.h: __SO_ACCEPTCON


@dataclass(frozen=True)
class Listener:
    """A TCP or UDP socket with its address, or a Unix one with its path (`@` for abstract)."""

    kind: str
    address: str
    port: int = 0
    cwd: Path = Path("/")

    def connect(self, timeout: float = 5) -> socket.socket:
        if self.kind != "unix":
            return socket.create_connection((self.address, self.port), timeout)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        if self.address.startswith("@"):
            connection.connect(f"\0{self.address[1:]}")
            return connection
        # A path may be longer than a socket's address; a descriptor of its folder is not.
        path = self.path
        folder = os.open(path.parent, os.O_PATH)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        return connection

    @property
    def path(self) -> Path:
        return self.cwd / self.address

    def __str__(self) -> str:
        return f"{self.kind} {self.address}" + (f":{self.port}" if self.port else "")


def listeners(pid: int) -> set[Listener]:
    """What `pid` and its descendants listen on: TCP, UDP and Unix, in their own network."""
    return {found for each in {pid, *descendants(pid)} for found in _listeners_of(each)}


def descendants(pid: int) -> set[int]:
    """Every process below this one, by its number."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _listeners_of(pid: int) -> Iterator[Listener]:
    process = Path(f"/proc/{pid}")
    owned = set()
    for descriptor in (process / "fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            owned.add(target[8:-1])
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in (process / "net" / kind).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in owned and (kind.startswith("udp") or fields[3] == LISTENING):
                address, port = fields[1].split(":")
                yield Listener(kind, _address(address), int(port, 16))
    cwd = (process / "cwd").readlink()
    for line in (process / "net" / "unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in owned and int(fields[3], 16) & ACCEPTS:
            yield Listener("unix", fields[7] if len(fields) > 7 else "", cwd=cwd)


def _address(digits: str) -> str:
    """Words of 32 bits, each in the machine's own order (proc(5))."""
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET6 if len(words) > 1 else socket.AF_INET, packed)
