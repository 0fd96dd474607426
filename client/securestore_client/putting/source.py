"""What is read here, block by block: a file, or standard input; and what is said of it."""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from ..digests import SLICE, Buffer, ContentChain
from ..errors import Different
from ..transport import BLOCK


@dataclass(frozen=True)
class Shape:
    """What tells that a file here was changed while it was read."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, file: BinaryIO) -> Shape:
        """Of an open file, as it is now."""
        found = os.fstat(file.fileno())
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True)
class Digested:
    """Bytes that were read once: both digests, and themselves where they are few."""

    size: int
    sha256: bytes
    chain: bytes
    kept: bytes | None


def digested(read: Iterator[Buffer]) -> Digested:
    """Read all of it once."""
    chain, whole, size, kept = ContentChain(), hashlib.sha256(), 0, b""
    for block in read:
        chain.update(block)
        whole.update(block)
        size += len(block)
        if size <= SLICE:
            kept += bytes(block)
    return Digested(size, whole.digest(), chain.value, kept if size <= SLICE else None)


def blocks(file: BinaryIO, length: int, size: int = BLOCK) -> Iterator[Buffer]:
    """The next bytes of a file. Raises Different where it has fewer."""
    if not length:
        return
    buffer = memoryview(bytearray(min(size, length)))
    while length:
        count = file.readinto(buffer[: min(len(buffer), length)])  # type: ignore[attr-defined]
        if not count:
            raise Different("The file became shorter while it was read.")
        length -= count
        yield buffer[:count]


def digesting(read: Iterator[Buffer], chain: ContentChain) -> Iterator[Buffer]:
    """The same blocks, each digested in another thread while it is sent."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as beside:
        for block in read:
            done = beside.submit(chain.update, block)
            try:
                yield block
            finally:
                done.result()


def filled(stream: BinaryIO, size: int) -> bytes:
    """So many bytes of a pipe, or all that there are left."""
    found = bytearray()
    while len(found) < size and (data := stream.read(min(BLOCK, size - len(found)))):
        found += data
    return bytes(found)


def type_of(name: str) -> str:
    """The type that its name says."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def moment_of(nanoseconds: int) -> str | None:
    """A time of a file as the site takes it; None where it is none that it takes."""
    try:
        moment = datetime.fromtimestamp(nanoseconds // 1000 / 1e6, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat().replace("+00:00", "Z") if 1970 <= moment.year <= 9000 else None
