"""The carry: the part of a frame that a suspended upload has received so far, sealed.

A stream can stop at any byte, a frame cannot. The bytes after the last whole frame, one frame at
most, are kept outside the object under a key of their own, derived from the stream's DEK, and
open only at the place where they were cut off. docs/uploads.md has the whole design.
"""

from __future__ import annotations

import struct
import time
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto.errors import Damaged
from files.crypto.stream.keys import Context
from files.crypto.tokens import KEY_LENGTH, Buffer, TokenCodec

_INFO: Final = b"securestore/carry/1"
_PREFIX: Final = struct.Struct(">6sQ")
_MAGIC: Final = b"carry\0"


def _codec(dek: bytes, context: Context) -> TokenCodec:
    info = _INFO + context.encode()
    return TokenCodec(HKDFExpand(SHA256(), length=KEY_LENGTH, info=info).derive(dek))


def seal_carry(dek: bytes, context: Context, frames: int, plaintext: Buffer) -> bytes:
    """Encrypt the bytes that follow the first `frames` frames of a stream."""
    prefixed = _PREFIX.pack(_MAGIC, frames) + bytes(plaintext)
    return _codec(dek, context).seal(prefixed, timestamp=int(time.time()))


def open_carry(dek: bytes, context: Context, frames: int, token: Buffer) -> bytes:
    """Decrypt what `seal_carry` made for the same place. Raises Damaged."""
    prefixed = _codec(dek, context).open(token)
    if prefixed[: _PREFIX.size] != _PREFIX.pack(_MAGIC, frames):
        raise Damaged("a carry belongs to another place")
    return prefixed[_PREFIX.size :]
