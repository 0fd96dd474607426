"""Key export 1: the keys of many files in one encrypted file, for the day the database is lost.

A header says how the export's own key is protected: by a passphrase (Argon2id), by a Fernet key,
or by shares of which some number is needed. Then follows an object of stream format 1 whose
plaintext is JSON, one entry a line. docs/stream-format.md, "Key export", has the layout.

Written and read in bounded memory, however many entries. A cut or altered export is refused from
the first wrong frame on. Never writes a key in the clear.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, BinaryIO, Final, Self
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto import argon2id
from files.crypto.errors import CryptoError, Damaged, MalformedKey, WrongKey
from files.crypto.keyring import HELD_LENGTH, Custody, generate_dek, parse_key, release
from files.crypto.passphrase import Derivation, normalise
from files.crypto.salvage import Expected, WholeObject, salvage
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import DEK_LENGTH, Context, StreamKeys, derive_keys
from files.crypto.stream.layout import COMMITMENT_LENGTH, FRAME_PAYLOAD
from files.crypto.tokens import TokenCodec

MIN_PASSPHRASE: Final = 16
"""Characters; a passphrase protects every key at once, and who has the file can guess for ever."""

MIN_DISTINCT: Final = 8

SHARE_SECRET_LENGTH: Final = 16
"""Bytes of the secret that is shared: as strong as the AES-128 of every frame."""

_HEADER: Final = struct.Struct(">8sBBBB4xIII4x16s64s")
_MAGIC: Final = b"\x89SCX\r\n\x1a\n"
_VERSION: Final = 1
_INFO: Final = b"securestore/export/1"
_SLOT_LENGTH: Final = HELD_LENGTH
BODY_START: Final = _HEADER.size + _SLOT_LENGTH

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


class WeakPassphrase(CryptoError, ValueError):
    """The passphrase is too easy to guess. The message says what is asked for."""


def check_strength(passphrase: str) -> None:
    """The least that is asked of a passphrase. Raises WeakPassphrase."""
    if len(passphrase) < MIN_PASSPHRASE or len(set(passphrase)) < MIN_DISTINCT:
        raise WeakPassphrase(
            f"The passphrase is too easy to guess: take {MIN_PASSPHRASE} characters or more, with "
            f"{MIN_DISTINCT} different ones among them. Five or six random words are good."
        )


# --- The header --------------------------------------------------------------------------------


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
        if len(data) != _HEADER.size:
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


# --- Entries -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Above:
    """A folder that a file is in, directly or not; `trashed_at` says since when it is put away."""

    folder_id: UUID
    name: str
    trashed_at: str = ""

    def as_dict(self) -> dict[str, str]:
        """As in an export."""
        found = {"id": str(self.folder_id), "name": self.name}
        return {**found, "trashed_at": self.trashed_at} if self.trashed_at else found

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Raises KeyError, TypeError, ValueError, AttributeError."""
        return cls(UUID(data["id"]), str(data["name"]), str(data.get("trashed_at", "")))


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a file: what people know of it, where its object is, and its key.

    `folders` are those that the file is in, the outermost first, without the root of its owner;
    None in an export of a release that knew no folders. `superseded_at` is empty for the current
    version; a former one has its own size, type, times and state, and the name of the file.

    `material` is the data key (32 bytes) in managed custody; in held custody, the data key under
    its user's key (137 bytes). `derivation` says how that key comes from a passphrase; empty: it
    does not.
    """

    file_id: UUID
    name: str
    size: int
    content_type: str
    owner: str
    created_at: str
    custody: Custody
    object_name: str
    object_size: int
    context: Context
    commitment: bytes = field(repr=False)
    material: bytes = field(repr=False)
    state: str = "live"
    derivation: str = ""
    modified_at: str = ""
    folders: tuple[Above, ...] | None = None
    trashed_at: str = ""
    version: int = 0
    uploaded_at: str = ""
    superseded_at: str = ""

    @property
    def is_former(self) -> bool:
        """Whether a newer version took its place."""
        return bool(self.superseded_at)

    @property
    def is_asleep(self) -> bool:
        """Whether it, or a folder above it, was put away."""
        return bool(self.trashed_at) or any(folder.trashed_at for folder in self.folders or ())

    @property
    def expected(self) -> Expected:
        """What the object must be."""
        return Expected(self.context, self.size, self.commitment)

    def dek(self, user_key: str | None = None) -> bytes:
        """The data key. A held one takes its user's key, or the passphrase that it comes from.

        Raises MalformedKey, WrongKey, Damaged.
        """
        if self.custody is Custody.MANAGED:
            return self.material
        if user_key is None:
            raise MalformedKey("this file is held: it takes its owner's key as well")
        if self.derivation:
            user_key = Derivation.decode(self.derivation).derive(user_key)
        return release(self.material, user_key, self.context)

    def as_dict(self) -> dict[str, Any]:
        """The entry as in an export, its key included."""
        return {
            "file": str(self.file_id),
            "name": self.name,
            "size": self.size,
            "type": self.content_type,
            "owner": self.owner,
            "created_at": self.created_at,
            "state": self.state,
            "custody": self.custody.value,
            "object": self.object_name,
            "object_size": self.object_size,
            "stream": str(self.context.stream_id),
            "stream_created_at": self.context.created_at,
            "commitment": self.commitment.hex(),
            _MATERIAL[self.custody]: base64.b64encode(self.material).decode(),
            **({"derivation": self.derivation} if self.derivation else {}),
            **{name: value for name in _OPTIONAL if (value := getattr(self, name))},
            **(
                {"folders": [folder.as_dict() for folder in self.folders]}
                if self.folders is not None
                else {}
            ),
        }

    def public_dict(self) -> dict[str, Any]:
        """The entry without its key: to be shown."""
        shown = self.as_dict()
        for name in (*_MATERIAL.values(), "commitment", "derivation"):
            shown.pop(name, None)
        return shown

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Raises Damaged."""
        try:
            custody = Custody(data["custody"])
            file_id = UUID(data["file"])
            entry = cls(
                file_id=file_id,
                name=str(data["name"]),
                size=int(data["size"]),
                content_type=str(data["type"]),
                owner=str(data["owner"]),
                created_at=str(data["created_at"]),
                state=str(data["state"]),
                custody=custody,
                object_name=str(data["object"]),
                object_size=int(data["object_size"]),
                context=Context(file_id, UUID(data["stream"]), int(data["stream_created_at"])),
                commitment=bytes.fromhex(data["commitment"]),
                material=base64.b64decode(data[_MATERIAL[custody]], validate=True),
                derivation=str(data.get("derivation", "")),
                version=int(data.get("version", 0)),
                folders=_folders(data.get("folders")),
                **{name: str(data.get(name, "")) for name in _OPTIONAL if name != "version"},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Damaged("an entry of the key export is not as it should be") from None
        wanted = DEK_LENGTH if custody is Custody.MANAGED else HELD_LENGTH
        if (len(entry.material), len(entry.commitment)) != (wanted, COMMITMENT_LENGTH):
            raise Damaged("an entry of the key export has a key of another length")
        return entry


_MATERIAL: Final = {Custody.MANAGED: "key", Custody.HELD: "held_key"}
_OPTIONAL: Final = ("modified_at", "trashed_at", "version", "uploaded_at", "superseded_at")
"""What an entry has where there is something to say."""


def _folders(data: Any) -> tuple[Above, ...] | None:
    return None if data is None else tuple(Above.from_dict(one) for one in data)


# --- Writing -----------------------------------------------------------------------------------


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


def from_shared_secret(secret: bytes) -> bytes:
    """The protecting key of the secret that shares give back."""
    if len(secret) != SHARE_SECRET_LENGTH:
        raise ValueError(f"a shared secret has {SHARE_SECRET_LENGTH} bytes, not {len(secret)}")
    info = b"securestore/export/shares/1"
    return HKDFExpand(SHA256(), length=32, info=info).derive(secret)


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


# --- Reading -----------------------------------------------------------------------------------


class KeyExport:
    """An export that was opened: `entries` reads it from the front."""

    def __init__(self, source: BinaryIO, header: Header, dek: bytes, *, partial: bool) -> None:
        self.header = header
        self._source = source
        self._keys = derive_keys(dek, header.context)
        self._body: WholeObject | None = None
        try:
            self._body = WholeObject(source, dek, start=BODY_START)
            if self._body.context != header.context:
                raise Damaged("the body of the key export belongs to another one")
        except (Damaged, WrongKey):
            # The key is the export's, as its header has proved: what is wrong is its end.
            if not partial:
                raise

    def intact_entries(self) -> Iterator[Entry]:
        """Yield the entries of a damaged export that are whole, from frames that authenticate."""
        rest: bytes | None = b""
        awaited = 0
        for found in salvage(self._source, self._keys, self.header.context):
            if found.index != awaited:
                rest = None  # Whatever the frame begins with is the end of a lost entry.
            awaited = found.index + 1
            first, *lines = found.payload.split(b"\n")
            if not lines:
                rest = None if rest is None else rest + first
                continue
            if rest is not None:
                yield _entry(rest + first)
            *lines, rest = lines
            yield from map(_entry, lines)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry. Raises Damaged, also at the end of a cut export."""
        if self._body is None:
            raise Damaged("the end of the key export is missing or altered")
        rest = b""
        for chunk in self._body.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > FRAME_PAYLOAD:
                raise Damaged("an entry of the key export is too long")
            yield from map(_entry, lines)
        if rest:
            raise Damaged("the key export ends within an entry")


def _entry(line: bytes) -> Entry:
    try:
        return Entry.from_dict(json.loads(line))
    except ValueError:
        raise Damaged("an entry of the key export is not as it should be") from None


def read_header(source: BinaryIO) -> Header:
    """Raises Damaged when it is no export, or its header was altered."""
    source.seek(0)
    return Header.decode(source.read(_HEADER.size))


def open_export(
    source: BinaryIO, header: Header, protecting: bytes, *, partial: bool = False
) -> KeyExport:
    """Open an export with the key that protects it. Raises WrongKey, Damaged.

    With `partial`, a body that is damaged is no error yet: `intact_entries` reads what is left.
    """
    source.seek(_HEADER.size)
    slot = source.read(_SLOT_LENGTH)
    if len(slot) != _SLOT_LENGTH:
        raise Damaged("the key export is cut off in its header")
    keys = header.keys(protecting)
    try:
        keys.check(slot[:COMMITMENT_LENGTH])
    except WrongKey:
        raise WrongKey(_NOT_OPENED[header.protection]) from None
    dek = TokenCodec(keys.frame_key).open(
        slot[COMMITMENT_LENGTH:], timestamp=header.context.created_at
    )
    return KeyExport(source, header, dek, partial=partial)


_NOT_OPENED: Final = {
    Protection.PASSPHRASE: "this passphrase does not open the key export",
    Protection.KEY: "this key does not open the key export",
    Protection.SHARES: "these shares do not open the key export",
}
