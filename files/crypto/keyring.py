"""Master keys, and what they protect: the wrapped key of every stream, and a few short secrets.

A wrapped key is a ``KeyRecord`` encrypted by a master key. The record binds the data key to the one
stream that it is for, so a wrapped key moved to another row, an unsealed one or one with another
size is refused. ``docs/stream-format.md``, "Wrapped key", has its layout. A secret (the seed of a
second factor, say) is bound to its purpose, and begins with other bytes than a record: neither ever
opens as the other.

Never stores, logs or shows a key: representations and messages carry fingerprints only.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final, Protocol, Self
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto.errors import Damaged, MalformedKey, UnknownMasterKey
from files.crypto.stream.keys import DEK_LENGTH, Context, StreamKeys
from files.crypto.stream.layout import COMMITMENT_LENGTH
from files.crypto.tokens import KEY_LENGTH, TokenCodec, token_length

HELD_LENGTH: Final = COMMITMENT_LENGTH + token_length(DEK_LENGTH)
"""Bytes of a data key that is encrypted under the user's own key."""


class Custody(StrEnum):
    """Who can open a file: anybody with a grant, or only a grant holder who has its key."""

    MANAGED = "managed"
    HELD = "held"


class KeyState(IntEnum):
    """Whether the stream is still being written, or complete and never to change."""

    UPLOADING = 1
    SEALED = 2


# Text keys


def generate_dek() -> bytes:
    """A new data key: 32 random bytes from the operating system."""
    return os.urandom(DEK_LENGTH)


def generate_master_key() -> str:
    """A new Fernet key as text: 44 characters of URL-safe base64. Also a user's key."""
    return base64.urlsafe_b64encode(os.urandom(KEY_LENGTH)).decode()


def check_user_key(text: str) -> str:
    """A user's key as it was typed, without the white space around it. Raises MalformedKey."""
    parse_key(text, "this")
    return text.strip()


def parse_key(text: str, what: str) -> bytes:
    """The 32 bytes of a Fernet key. Raises MalformedKey, which never shows the text."""
    text = text.strip()
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}=", text):
        raise MalformedKey(
            f"{what} is not a Fernet key: expected 44 characters of URL-safe base64, "
            f"the last of them '=', and got {len(text)} characters"
        )
    return base64.urlsafe_b64decode(text)


# The record

_RECORD: Final = struct.Struct(">8sBBB5s16s16sQQ32s")
_MAGIC: Final = b"\x89SCK\r\n\x1a\n"
_VERSION: Final = 1
_SPARE: Final = bytes(5)
_HEAD: Final = _MAGIC + bytes([_VERSION])
_BOUND: Final = slice(16, 56)
_TIME: Final = struct.Struct(">Q")
_CUSTODY_CODES: Final = {Custody.MANAGED: 1, Custody.HELD: 2}
_CUSTODIES: Final = {code: custody for custody, code in _CUSTODY_CODES.items()}


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Everything that is bound to one stream's key.

    ``material`` is the data key itself (32 bytes) in managed custody, and what ``hold`` returned
    in held custody. A held stream that must survive the loss of its process may carry the bare
    data key while it is uploading, for its user has not been shown a key yet; sealed, never.
    ``size`` is the plaintext's, in bytes, and 0 until sealed.
    """

    state: KeyState
    context: Context
    size: int
    commitment: bytes = field(repr=False)
    custody: Custody
    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        uploading = self.state is KeyState.UPLOADING
        if uploading and self.size:
            raise ValueError("a record has no size until it is sealed")
        length = len(self.material)
        bare = length == DEK_LENGTH and (uploading or self.custody is Custody.MANAGED)
        held = length == HELD_LENGTH and self.custody is Custody.HELD
        if not (bare or held):
            raise ValueError(f"no {self.custody} key has {length} bytes")
        if len(self.commitment) != COMMITMENT_LENGTH:
            raise ValueError(f"a commitment has {COMMITMENT_LENGTH} bytes")

    def seal(self, size: int, *, material: bytes | None = None) -> Self:
        """The record of the finished stream of ``size`` bytes, with held ``material`` if any."""
        return replace(self, state=KeyState.SEALED, size=size, material=material or self.material)

    def encode(self) -> bytes:
        """The binary record: 96 bytes of fixed-width fields, then the material."""
        head = _RECORD.pack(
            _MAGIC,
            _VERSION,
            self.state,
            _CUSTODY_CODES[self.custody],
            _SPARE,
            self.context.file_id.bytes,
            self.context.stream_id.bytes,
            self.context.created_at,
            self.size,
            self.commitment,
        )
        return head + self.material

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote. Raises Damaged on anything else, spare bytes included."""
        if len(data) < _RECORD.size:
            raise Damaged("a key record is too short")
        magic, version, state, custody, spare, file_id, stream_id, created_at, size, commitment = (
            _RECORD.unpack_from(data)
        )
        if (magic, version, spare) != (_MAGIC, _VERSION, _SPARE):
            raise Damaged("not a key record of version 1")
        try:
            return cls(
                state=KeyState(state),
                context=Context(UUID(bytes=file_id), UUID(bytes=stream_id), created_at),
                size=size,
                commitment=commitment,
                custody=_CUSTODIES[custody],
                material=data[_RECORD.size :],
            )
        except (KeyError, ValueError):
            raise Damaged("a key record has an impossible field") from None


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """An encrypted key record, and the id of the master key that opens it."""

    master_key_id: str
    token: bytes


# Secrets that are no stream's key

_SECRET_MAGIC: Final = b"\x89SCS\r\n\x1a\n\x01"


def _secret_head(purpose: str) -> bytes:
    label = purpose.encode("ascii")
    return _SECRET_MAGIC + bytes([len(label)]) + label


# Master keys


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


class Keyring:
    """The configured master keys. The first is the primary: it wraps; every key unwraps."""

    def __init__(self, master_keys: Sequence[MasterKey]) -> None:
        """Raises ValueError when there is no key, or one twice."""
        if not master_keys:
            raise ValueError("a keyring needs at least one master key")
        self._keys = {key.id: key for key in master_keys}
        if len(self._keys) != len(master_keys):
            raise ValueError("the same master key is configured twice")
        self._primary = master_keys[0]
        self._is_remote = any(key.is_remote for key in master_keys)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """A keyring of local keys alone. Raises as `local_keys`."""
        return cls(local_keys(text))

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self._keys)}>"

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    @property
    def primary_id(self) -> str:
        """The id of the key that wraps."""
        return self._primary.id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the primary's first."""
        return tuple(self._keys)

    @property
    def is_remote(self) -> bool:
        """Whether any key is a service's, so that wrapping and unwrapping are waits."""
        return self._is_remote

    def check(self, key_ids: Iterable[str]) -> None:
        """Raise KeyServiceError unless those of the keys can be used now."""
        for key_id in key_ids:
            self._keys[key_id].check()

    def wrap(self, record: KeyRecord) -> WrappedKey:
        """Encrypt a record under the primary key."""
        return self._seal(record.encode(), _in_words(record.context))

    def unwrap(
        self,
        wrapped: WrappedKey,
        *,
        context: Context,
        size: int,
        custody: Custody,
        state: KeyState = KeyState.SEALED,
    ) -> KeyRecord:
        """Decrypt a record and compare every bound field with the row that it came from.

        Raises UnknownMasterKey, or Damaged when the token or any field is not the expected one.
        The caller still checks the derived keys against ``commitment``.
        """
        record = KeyRecord.decode(self._open(wrapped, context, _in_words(context)))
        for name, bound, expected in (
            ("state", record.state, state),
            ("size", record.size, size),
            ("custody", record.custody, custody),
        ):
            if bound != expected:
                raise Damaged(f"a wrapped key has another {name}")
        return record

    def rewrap(self, wrapped: WrappedKey, *, context: Context) -> WrappedKey:
        """Decrypt a record of any state, and encrypt the same record under the primary key.

        Raises UnknownMasterKey, or Damaged when it is not the record of ``context``.
        """
        # Only a service is told: over all records that there are, the words would take their time.
        words = _in_words(context) if self._is_remote else {}
        source = self._keys.get(wrapped.master_key_id)
        if source is not None:
            # A service checks the ids as it rewraps; what else is bound stays as it is, unseen.
            token = self._primary.rewrap_from(source, wrapped.token, words)
            if token is not None:
                return WrappedKey(self._primary.id, token)
        return self._seal(self._open(wrapped, context, words), words)

    def wrap_secret(self, secret: bytes, purpose: str) -> WrappedKey:
        """Encrypt a short secret under the primary key; it opens for this ``purpose`` only.

        ``purpose`` is at most 255 characters of ASCII, a constant of the caller's.
        """
        return self._seal(_secret_head(purpose) + secret, {"purpose": purpose})

    def unwrap_secret(self, wrapped: WrappedKey, purpose: str) -> bytes:
        """Decrypt what ``wrap_secret`` encrypted.

        Raises UnknownMasterKey, or Damaged when it is another purpose's, or a stream's key.
        """
        head = _secret_head(purpose)
        encoded = self._decrypt(wrapped, {"purpose": purpose})
        if not encoded.startswith(head):
            raise Damaged("a wrapped secret has another purpose")
        return encoded[len(head) :]

    def rewrap_secret(self, wrapped: WrappedKey, purpose: str) -> WrappedKey:
        """Encrypt the same secret under the primary key. Raises as ``unwrap_secret``."""
        return self.wrap_secret(self.unwrap_secret(wrapped, purpose), purpose)

    def _seal(self, encoded: bytes, words: Mapping[str, str]) -> WrappedKey:
        return WrappedKey(self._primary.id, self._primary.encrypt(encoded, words))

    def _decrypt(self, wrapped: WrappedKey, words: Mapping[str, str]) -> bytes:
        try:
            key = self._keys[wrapped.master_key_id]
        except KeyError:
            raise UnknownMasterKey(wrapped.master_key_id) from None
        return key.decrypt(wrapped.token, words)

    def _open(self, wrapped: WrappedKey, context: Context, words: Mapping[str, str]) -> bytes:
        encoded = self._decrypt(wrapped, words)
        # Compared as bytes: rewrapping runs over every record there is, and decodes none.
        if not encoded.startswith(_HEAD):
            raise Damaged("not a key record of version 1")
        bound = context.file_id.bytes + context.stream_id.bytes + _TIME.pack(context.created_at)
        if encoded[_BOUND] != bound:
            raise Damaged("a wrapped key belongs to another stream")
        return encoded


def _in_words(context: Context) -> dict[str, str]:
    return {"file_id": str(context.file_id), "stream_id": str(context.stream_id)}


# Held custody

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
