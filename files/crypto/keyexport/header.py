"""The header of an export: what its key is protected by, and how that key comes from it.

A passphrase (Argon2id), a Fernet key, or a secret that was split into shares. Everything in the
header is bound to the export's key. Never asks the machine that reads it for more than the bounds
here: who wrote the header is not yet known.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto import argon2id
from files.crypto.errors import Damaged
from files.crypto.heldkey import HELD_LENGTH
from files.crypto.passphrase import normalise
from files.crypto.stream.keys import Context, StreamKeys

SHARE_SECRET_LENGTH: Final = 16
"""Bytes of the secret that is shared: as strong as the AES-128 of every frame."""

_HEADER: Final = struct.Struct(">8sBBBB4xIII4x16s64s")
HEADER_LENGTH: Final = _HEADER.size
_MAGIC: Final = b"\x89SCX\r\n\x1a\n"
_VERSION: Final = 1
_INFO: Final = b"securestore/export/1"
SLOT_LENGTH: Final = HELD_LENGTH
BODY_START: Final = HEADER_LENGTH + SLOT_LENGTH

# Bounds for what a header may ask of the machine that reads it.
_MOST_MEMORY: Final = 4 << 20
_MOST_ITERATIONS: Final = 100
_MOST_LANES: Final = 64


class Protection(IntEnum):
    """What opens an export."""

    PASSPHRASE = 1
    KEY = 2
    SHARES = 3


@dataclass(frozen=True, slots=True)
class Argon2:
    """Parameters of Argon2id (RFC 9106); these take about half a second."""

    memory: int = 256 << 10  # KiB
    iterations: int = 3
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class Header:
    """How an export is protected. Everything in it is bound to the export's key."""

    protection: Protection
    context: Context
    threshold: int = 0
    shares: int = 0
    salt: bytes = bytes(16)
    argon2: Argon2 = field(default=Argon2(0, 0, 0))

    def encode(self) -> bytes:
        """The bytes before the slot."""
        return _HEADER.pack(
            _MAGIC,
            _VERSION,
            self.protection,
            self.threshold,
            self.shares,
            self.argon2.memory,
            self.argon2.iterations,
            self.argon2.lanes,
            self.salt,
            self.context.encode(),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises Damaged."""
        if not data.startswith(_MAGIC):
            raise Damaged("it is no key export")
        if len(data) != HEADER_LENGTH:
            raise Damaged("the key export is cut off in its header")
        _, version, protection, threshold, shares, memory, iterations, lanes, salt, context = (
            _HEADER.unpack(data)
        )
        if version != _VERSION:
            raise Damaged(f"it is a key export of version {version}; this program knows 1")
        try:
            header = cls(
                Protection(protection),
                Context.decode(context),
                threshold,
                shares,
                salt,
                Argon2(memory, iterations, lanes),
            )
        except ValueError:
            raise Damaged("the header of the key export has an impossible field") from None
        if header.encode() != data:
            raise Damaged("the header of the key export was altered")
        return header

    def from_passphrase(self, passphrase: str) -> bytes:
        """The key that protects, from a passphrase. Raises TooBusy; Damaged: impossible costs."""
        argon2 = self.argon2
        if not (
            argon2.memory <= _MOST_MEMORY
            and 1 <= argon2.iterations <= _MOST_ITERATIONS
            and 1 <= argon2.lanes <= _MOST_LANES
            and argon2.memory >= 8 * argon2.lanes
        ):
            raise Damaged("the header of the key export has impossible Argon2 parameters")
        return argon2id.derive(
            normalise(passphrase).encode(),
            salt=self.salt,
            memory=argon2.memory,
            passes=argon2.iterations,
            lanes=argon2.lanes,
        )

    def keys(self, protecting: bytes) -> StreamKeys:
        """What encrypts the export's own data key, and tells whether it is the right key."""
        okm = HKDFExpand(SHA256(), length=64, info=_INFO + self.encode()).derive(protecting)
        return StreamKeys(frame_key=okm[:32], commitment=okm[32:])


def from_shared_secret(secret: bytes) -> bytes:
    """The protecting key of the secret that shares give back."""
    if len(secret) != SHARE_SECRET_LENGTH:
        raise ValueError(f"a shared secret has {SHARE_SECRET_LENGTH} bytes, not {len(secret)}")
    info = b"securestore/export/shares/1"
    return HKDFExpand(SHA256(), length=32, info=info).derive(secret)
