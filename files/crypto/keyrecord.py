"""The record of a stream's key: everything that a wrapped key binds to the data key.

It says which stream the key is for, in which state and custody and of which size, so a wrapped key
moved to another row, an unsealed one or one with another size is refused. Never shows its material.
``docs/stream-format.md``, "Wrapped key", has the layout.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final, Self
from uuid import UUID

from files.crypto.errors import Damaged
from files.crypto.heldkey import HELD_LENGTH
from files.crypto.stream.keys import DEK_LENGTH, Context
from files.crypto.stream.layout import COMMITMENT_LENGTH


class Custody(StrEnum):
    """Who can open a file: anybody with a grant, or only a grant holder who has its key."""

    MANAGED = "managed"
    HELD = "held"


class KeyState(IntEnum):
    """Whether the stream is still being written, or complete and never to change."""

    UPLOADING = 1
    SEALED = 2


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


def check_stream(encoded: bytes, context: Context) -> None:
    """Raise Damaged unless it is an encoded record, and the one of that stream.

    Compared as bytes: rewrapping runs over every record there is, and decodes none.
    """
    if not encoded.startswith(_HEAD):
        raise Damaged("not a key record of version 1")
    bound = context.file_id.bytes + context.stream_id.bytes + _TIME.pack(context.created_at)
    if encoded[_BOUND] != bound:
        raise Damaged("a wrapped key belongs to another stream")


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """An encrypted key record, and the id of the master key that opens it."""

    master_key_id: str
    token: bytes
