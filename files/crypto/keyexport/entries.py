"""What an export has of each file: one entry a version, with its key, as one line of JSON.

Never shows a key, but in `as_dict`, which is what is encrypted.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Final, Self
from uuid import UUID

from files.crypto.errors import Damaged, MalformedKey
from files.crypto.heldkey import HELD_LENGTH, release
from files.crypto.keyrecord import Custody
from files.crypto.passphrase import Derivation
from files.crypto.salvage import Expected
from files.crypto.stream.keys import DEK_LENGTH, Context
from files.crypto.stream.layout import COMMITMENT_LENGTH


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
