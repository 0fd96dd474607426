"""Held custody: a stream's data key, encrypted under a key that its user keeps.

Derived as a stream's own keys are, so that a wrong key and damage are told apart.
``docs/stream-format.md``, "Held material". Never keeps or shows the user's key.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto.errors import Damaged
from files.crypto.fernetkey import parse_key
from files.crypto.stream.keys import DEK_LENGTH, Context, StreamKeys
from files.crypto.stream.layout import COMMITMENT_LENGTH
from files.crypto.tokens import TokenCodec, token_length

HELD_LENGTH: Final = COMMITMENT_LENGTH + token_length(DEK_LENGTH)
"""Bytes of a data key that is encrypted under the user's own key."""

_HELD_INFO: Final = b"securestore/held/1"


def _held_keys(user_key: str, context: Context) -> StreamKeys:
    """Keys for one stream's data key, derived as a stream's own are, from the user's key."""
    raw = parse_key(user_key, "this")
    info = _HELD_INFO + context.encode()
    okm = HKDFExpand(SHA256(), length=64, info=info).derive(raw)
    return StreamKeys(frame_key=okm[:32], commitment=okm[32:])


def hold(dek: bytes, user_key: str, context: Context) -> bytes:
    """Encrypt a data key under the user's own key: 137 bytes, good for this stream only.

    Raises MalformedKey.
    """
    if len(dek) != DEK_LENGTH:
        raise ValueError(f"a data key has {DEK_LENGTH} bytes, not {len(dek)}")
    keys = _held_keys(user_key, context)
    token = TokenCodec(keys.frame_key).seal(dek, timestamp=context.created_at)
    return keys.commitment + token


def release(material: bytes, user_key: str, context: Context) -> bytes:
    """Decrypt the data key that ``hold`` encrypted.

    Raises MalformedKey, WrongKey, or Damaged when the key is right and the material is not.
    """
    if len(material) != HELD_LENGTH:
        raise Damaged("held key material has another length")
    keys = _held_keys(user_key, context)
    keys.check(material[:COMMITMENT_LENGTH])
    token = material[COMMITMENT_LENGTH:]
    return TokenCodec(keys.frame_key).open(token, timestamp=context.created_at)
