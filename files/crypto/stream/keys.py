"""The keys of one stream: what they are derived for, and which keys these are.

``docs/stream-format.md``, "Context" and "Keys". Never shows a key, and never compares a commitment
in a time that tells of it.
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto.errors import Damaged, WrongKey
from files.crypto.stream.layout import CONTEXT_LENGTH
from files.crypto.tokens import BLOCK

_CONTEXT: Final = struct.Struct(">8sB7x16s16sQ8x")
_MAGIC: Final = b"\x89SCS\r\n\x1a\n"
_VERSION: Final = 1
_KEY_INFO: Final = b"securestore/1"

DEK_LENGTH: Final = 32


def generate_dek() -> bytes:
    """A new data key: 32 random bytes from the operating system."""
    return os.urandom(DEK_LENGTH)


@dataclass(frozen=True, slots=True)
class Context:
    """What a stream's keys are derived for: one encryption of one file, at one time.

    ``created_at`` is in Unix seconds and is the timestamp of every frame.
    """

    file_id: UUID
    stream_id: UUID
    created_at: int

    def __post_init__(self) -> None:
        if not 0 <= self.created_at < 2**64:
            raise ValueError("created_at is a count of Unix seconds in 64 bits")

    def encode(self) -> bytes:
        """The 64 bytes that the key derivation and the trailer use."""
        return _CONTEXT.pack(
            _MAGIC, _VERSION, self.file_id.bytes, self.stream_id.bytes, self.created_at
        )

    @staticmethod
    def magic() -> bytes:
        """What every encoded context begins with: magic, version and 7 zero bytes."""
        return _CONTEXT.pack(_MAGIC, _VERSION, b"", b"", 0)[:BLOCK]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote. Raises Damaged on anything else, spare bytes included."""
        if len(data) != CONTEXT_LENGTH:
            raise Damaged("a context has another length")
        _, _, file_id, stream_id, created_at = _CONTEXT.unpack(data)
        context = cls(UUID(bytes=file_id), UUID(bytes=stream_id), created_at)
        if context.encode() != data:
            raise Damaged("not a context of stream format 1")
        return context


@dataclass(frozen=True, slots=True, eq=False)
class StreamKeys:
    """The keys of one stream: 32 bytes for its frames, 32 that say which keys these are.

    Fernet does not commit to its key; the commitment does.
    """

    frame_key: bytes = field(repr=False)
    commitment: bytes = field(repr=False)

    def check(self, commitment: bytes) -> None:
        """Compare with the commitment on record, in constant time. Raises WrongKey."""
        if not hmac.compare_digest(self.commitment, commitment):
            raise WrongKey


def derive_keys(dek: bytes, context: Context) -> StreamKeys:
    """Derive a stream's keys from its data key of 32 bytes (HKDF-Expand, RFC 5869, SHA-256)."""
    if len(dek) != DEK_LENGTH:
        raise ValueError(f"a data key has {DEK_LENGTH} bytes, not {len(dek)}")
    info = _KEY_INFO + context.encode()
    okm = HKDFExpand(SHA256(), length=64, info=info).derive(dek)
    return StreamKeys(frame_key=okm[:32], commitment=okm[32:])
