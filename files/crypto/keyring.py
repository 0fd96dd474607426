"""The configured master keys at work: they wrap the key of every stream, and a few short secrets.

A secret (the seed of a second factor, say) is bound to its purpose, and begins with other bytes
than a key record (`files.crypto.keyrecord`): neither ever opens as the other.

Never stores, logs or shows a key: representations and messages carry fingerprints only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Self

from files.crypto.errors import Damaged, UnknownMasterKey
from files.crypto.keyrecord import Custody, KeyRecord, KeyState, WrappedKey, check_stream
from files.crypto.masterkey import MasterKey, local_keys
from files.crypto.stream.keys import Context

_SECRET_MAGIC: Final = b"\x89SCS\r\n\x1a\n\x01"


def _secret_head(purpose: str) -> bytes:
    label = purpose.encode("ascii")
    return _SECRET_MAGIC + bytes([len(label)]) + label


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
        check_stream(encoded, context)
        return encoded


def _in_words(context: Context) -> dict[str, str]:
    return {"file_id": str(context.file_id), "stream_id": str(context.stream_id)}
