"""Writes an export, a frame at a time, under the key of its protector.

In bounded memory, however many entries. Never writes a key in the clear.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from files.crypto.fernetkey import parse_key
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.header import Argon2, Header, Protection, from_shared_secret
from files.crypto.passphrase import check_strength
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, generate_dek
from files.crypto.tokens import TokenCodec


@dataclass(frozen=True, slots=True)
class Protector:
    """The header of a new export and the key that protects it."""

    header: Header
    key: bytes = field(repr=False)

    @classmethod
    def passphrase(cls, passphrase: str, argon2: Argon2 | None = None) -> Self:
        """By a passphrase. Raises WeakPassphrase."""
        check_strength(passphrase)
        header = Header(
            Protection.PASSPHRASE,
            _new_context(),
            salt=os.urandom(16),
            argon2=argon2 or Argon2(),
        )
        return cls(header, header.from_passphrase(passphrase))

    @classmethod
    def fernet_key(cls, text: str) -> Self:
        """By a Fernet key. Raises MalformedKey."""
        return cls(Header(Protection.KEY, _new_context()), parse_key(text, "the key"))

    @classmethod
    def shared(cls, secret: bytes, threshold: int, shares: int) -> Self:
        """By a secret of 16 random bytes that somebody splits into shares."""
        header = Header(Protection.SHARES, _new_context(), threshold, shares)
        return cls(header, from_shared_secret(secret))


def _new_context() -> Context:
    return Context(uuid.uuid4(), uuid.uuid4(), int(time.time()))


def write_export(out: BinaryIO, protector: Protector, entries: Iterable[Entry]) -> None:
    """Write an export of the entries, a frame at a time."""
    header, dek = protector.header, generate_dek()
    keys = header.keys(protector.key)
    slot = TokenCodec(keys.frame_key).seal(dek, timestamp=header.context.created_at)
    out.write(header.encode() + keys.commitment + slot)
    lines = (
        json.dumps(entry.as_dict(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for entry in entries
    )
    for piece in encrypt(dek, header.context, lines):
        out.write(piece)
