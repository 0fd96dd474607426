"""A master key that never leaves AWS KMS: it is asked to encrypt, to decrypt, and to rewrap.

The service binds every ciphertext to the stream's ids as its encryption context, beside what the
key record itself binds. A key is known by its ARN, for an alias may point elsewhere tomorrow.

What was unwrapped a moment ago is kept for a moment, so that the ranges of one download are not one
request each: at most `CACHED` streams for `CACHE_SECONDS`, each for its very token only. A key that
is disabled in the service opens nothing more once they are over. Never keeps a secret that is no
stream's key, and never takes an outage for damage. Knows no AWS library: the client is given.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from files.crypto.errors import KeyServiceRefused

CACHED: Final = 256
CACHE_SECONDS: Final = 30.0
CHECK_SECONDS: Final = 30.0
"""How long a key that was found usable counts as usable."""


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """What the service says of a key: its ARN, and whether it can be used now."""

    arn: str
    is_enabled: bool


class KmsClient(Protocol):
    """The service. Every method raises KeyServiceUnavailable or KeyServiceRefused, and those that
    take a ciphertext Damaged, when it is not one of that key and context. Threads may share it.
    """

    def encrypt(self, key_id: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """The ciphertext of at most 4096 bytes."""

    def decrypt(self, key_id: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """The plaintext."""

    def re_encrypt(
        self, source_id: str, key_id: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> bytes:
        """The same plaintext under another key of the service, in the same context."""

    def describe(self, key_id: str) -> KeyDescription:
        """What the service says of a key, by its id, ARN or alias."""


class KmsMasterKey:
    """One key of the service. `arn` is its key ARN, never an alias."""

    is_remote = True

    def __init__(self, client: KmsClient, arn: str) -> None:
        self._client = client
        self._arn = arn
        self._unwrapped = UnwrapCache(CACHED, CACHE_SECONDS)
        self._usable_until = 0.0

    def __repr__(self) -> str:
        return f"<KmsMasterKey {self._arn}>"

    @property
    def id(self) -> str:
        """The key's ARN."""
        return self._arn

    def encrypt(self, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """Return the service's ciphertext. Raises KeyServiceError."""
        return self._client.encrypt(self._arn, plaintext, context)

    def decrypt(self, token: bytes, context: Mapping[str, str]) -> bytes:
        """Return the plaintext of a token. Raises Damaged, KeyServiceError."""
        known = self._unwrapped.get(context, token)
        if known is None:
            known = self._client.decrypt(self._arn, token, context)
            self._unwrapped.put(context, token, known)
        return known

    def rewrap_from(self, source: object, token: bytes, context: Mapping[str, str]) -> bytes | None:
        """Let the service rewrap the token of another key of its region; None of any other."""
        if not isinstance(source, KmsMasterKey) or source._region != self._region:
            return None
        return self._client.re_encrypt(source.id, self._arn, token, context)

    def check(self) -> None:
        """Raise KeyServiceError unless the key can be used, or could a moment ago."""
        if time.monotonic() < self._usable_until:
            return
        if not self._client.describe(self._arn).is_enabled:
            raise KeyServiceRefused(f"the key {self._arn} is not enabled")
        self._usable_until = time.monotonic() + CHECK_SECONDS

    @property
    def _region(self) -> str:
        return self._arn.split(":")[3]


@dataclass
class UnwrapCache:
    """The last few unwrapped key records of streams. Safe to share between threads."""

    size: int
    seconds: float
    _entries: OrderedDict[tuple[str, str], tuple[bytes, float, bytes]] = field(
        default_factory=OrderedDict, repr=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(self, context: Mapping[str, str], token: bytes) -> bytes | None:
        """What that very token of that stream held, if it was put here a moment ago."""
        name = self._name(context)
        if name is None:
            return None
        with self._lock:
            digest, until, plaintext = self._entries.get(name, (b"", 0.0, b""))
            if until <= time.monotonic():
                self._entries.pop(name, None)
                return None
        return plaintext if digest == self._digest(token) else None

    def put(self, context: Mapping[str, str], token: bytes, plaintext: bytes) -> None:
        """Keep it, in the place of what was kept of this stream, or of the oldest."""
        name = self._name(context)
        if name is None:
            return
        with self._lock:
            self._entries[name] = self._digest(token), time.monotonic() + self.seconds, plaintext
            self._entries.move_to_end(name)
            while len(self._entries) > self.size:
                self._entries.popitem(last=False)

    @staticmethod
    def _name(context: Mapping[str, str]) -> tuple[str, str] | None:
        if context.keys() != {"file_id", "stream_id"}:
            return None
        return context["file_id"], context["stream_id"]

    @staticmethod
    def _digest(token: bytes) -> bytes:
        return hashlib.sha256(token).digest()
