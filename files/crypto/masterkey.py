"""What wraps: a key from the configuration, or one that stays in a service (`files.crypto.kms`).

Never stores, logs or shows a key: representations and messages carry fingerprints only.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Protocol

from files.crypto.errors import MalformedKey
from files.crypto.fernetkey import parse_key
from files.crypto.tokens import TokenCodec


class MasterKey(Protocol):
    """What can wrap: a local key, or a key that never leaves a key management service.

    ``context`` names the stream, or the purpose of a secret, in words. A service binds it to the
    ciphertext as its encryption context; a local key has no place for it and relies on the
    plaintext's own fields.
    """

    @property
    def id(self) -> str:
        """Names this key for ever, and says nothing about its value."""

    @property
    def is_remote(self) -> bool:
        """Whether each use is a request to a service."""

    def encrypt(self, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """Return the ciphertext of a short plaintext."""

    def decrypt(self, token: bytes, context: Mapping[str, str]) -> bytes:
        """Return the plaintext. Raises Damaged."""

    def rewrap_from(self, source: object, token: bytes, context: Mapping[str, str]) -> bytes | None:
        """Return a token of the key `source` as one of this, or None if it takes the plaintext."""

    def check(self) -> None:
        """Raise KeyServiceError unless the key can be used now. Cheap enough to ask often."""


class LocalMasterKey:
    """A Fernet key from the configuration. Its tokens are binary Fernet tokens."""

    is_remote = False

    def __init__(self, key: str) -> None:
        """Take the key as text. Raises MalformedKey, whose message does not contain it."""
        raw = parse_key(key, "a master key")
        self._codec = TokenCodec(raw)
        # The key is 256 random bits, so nobody can search for it with a fingerprint in hand.
        self._id = hashlib.sha256(b"securestore/master-key-id/1" + raw).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"<LocalMasterKey {self._id}>"

    @property
    def id(self) -> str:
        """The key's fingerprint: 16 lower-case hexadecimal digits."""
        return self._id

    def encrypt(self, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """Return a binary Fernet token, stamped with the time of wrapping."""
        return self._codec.seal(plaintext, timestamp=int(time.time()))

    def decrypt(self, token: bytes, context: Mapping[str, str]) -> bytes:
        """Return the plaintext of a token. Raises Damaged."""
        return self._codec.open(token)

    def rewrap_from(self, source: object, token: bytes, context: Mapping[str, str]) -> None:
        """None: whatever key it was, this one needs the plaintext."""

    def check(self) -> None:
        """Nothing can be wrong with a key that is here."""


def local_keys(text: str) -> list[LocalMasterKey]:
    """Read local keys, separated by commas or white space.

    Raises MalformedKey, which says which key it is by position, or ValueError.
    """
    texts = re.split(r"[\s,]+", text.strip(" \t\r\n,"))
    if texts == [""]:
        raise ValueError("no master key is configured")
    keys = []
    for position, key in enumerate(texts, start=1):
        try:
            keys.append(LocalMasterKey(key))
        except MalformedKey as malformed:
            raise MalformedKey(f"number {position} of {len(texts)}: {malformed}") from None
    return keys
