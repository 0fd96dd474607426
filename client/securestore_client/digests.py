"""Digests of files: SHA-256, and the content chain, which pieces in any order can be joined to.

C(0) is 32 zero bytes, and C(i+1) is SHA-256(C(i) || SHA-256(slice i)) over slices of 262,144 bytes,
the last as short as it is (docs/uploads.md, Which bytes they are).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import BinaryIO, Final

SLICE: Final = 256 * 1024
LENGTH: Final = 32
EMPTY: Final = bytes(LENGTH)

Buffer = bytes | bytearray | memoryview


class ContentChain:
    """The content chain of bytes that come in chunks of any size."""

    def __init__(self) -> None:
        self._state = EMPTY
        self._slice = hashlib.sha256()
        self._filled = 0

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        chunk = memoryview(data).cast("B")
        while chunk:
            taken = chunk[: SLICE - self._filled]
            self._slice.update(taken)
            self._filled += len(taken)
            chunk = chunk[len(taken) :]
            if self._filled == SLICE:
                self._state = link(self._state, self._slice.digest())
                self._slice, self._filled = hashlib.sha256(), 0

    @property
    def value(self) -> bytes:
        """The chain of all that was taken."""
        return link(self._state, self._slice.digest()) if self._filled else self._state


def link(chain: bytes, slice_digest: bytes) -> bytes:
    """The chain with one more slice."""
    return hashlib.sha256(chain + slice_digest).digest()


def chain_of(file: BinaryIO, length: int) -> bytes:
    """The chain of the next `length` bytes of a file, or of as many as it has."""
    chain, buffer = ContentChain(), memoryview(bytearray(SLICE))
    while length and (count := file.readinto(buffer[: min(SLICE, length)])):  # type: ignore[attr-defined]
        chain.update(buffer[:count])
        length -= count
    return chain.value


def field(data: bytes) -> str:
    """A byte sequence as headers have it: base64 between colons (RFC 9651, 4.1.8)."""
    return f":{base64.b64encode(data).decode()}:"


def parse_field(text: str | None) -> bytes | None:
    """What `field` made; None for anything else."""
    text = (text or "").strip(" ")
    if len(text) < 2 or text[0] != ":" or text[-1] != ":":
        return None
    try:
        return base64.b64decode(text[1:-1], validate=True)
    except (ValueError, binascii.Error):
        return None


def sha256_field(digest: bytes) -> str:
    """A SHA-256 as `Repr-Digest` has it (RFC 9530)."""
    return f"sha-256={field(digest)}"


def parse_sha256(header: str | None) -> bytes | None:
    """The SHA-256 of a `Repr-Digest`, where it has one."""
    for member in (header or "").split(","):
        name, _, value = member.strip().partition("=")
        if name == "sha-256":
            return parse_field(value)
    return None
