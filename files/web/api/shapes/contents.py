"""What is in a file: small ones sent whole, versions, digests, keys, what was stored."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Field, Schema

from files.web.api.shapes.common import SOME, Moment, Strict
from files.web.api.shapes.items import FileOut


class SmallIn(Strict):
    """A small file, whole."""

    name: str = Field(max_length=1000, json_schema_extra=SOME)
    content: str = Field(max_length=1_048_576, description="Its bytes, as base64.", repr=False)
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Of its bytes, in hex: compared before anything is a file.",
    )
    content_type: str | None = Field(default=None, max_length=255)
    modified_at: Moment | None = Field(default=None, description="When the original was changed.")


class BatchIn(Strict):
    """Small files for one folder, each under a name that is free there; 1 MiB in all."""

    files: list[SmallIn] = Field(min_length=1, max_length=64)


class SmallOut(Schema):
    """A file of a batch, as it was stored and read back."""

    id: UUID
    name: str
    size: int
    version: UUID
    sha256: str | None
    content_chain: str | None


class BatchOut(Schema):
    """The files, in the order in which they were sent."""

    files: list[SmallOut]


class VersionOut(Schema):
    """A former version of a file."""

    version: UUID
    size: int
    content_type: str
    custody: Literal["managed", "held"]
    modified_at: datetime | None
    uploaded_at: datetime
    uploaded_by: str | None
    superseded_at: datetime


class VersionsOut(Schema):
    """All former versions, the newest first."""

    versions: list[VersionOut]


class DigestOut(Schema):
    """What the bytes of a file are."""

    id: UUID
    version: UUID
    repr_digest: str | None = Field(description="As RFC 9530 has it, or null: not known (yet).")
    sha256: str | None = Field(description="The same in hex.")
    content_chain: str = Field(description="Base64 between colons (docs/uploads.md).")


class DigestsIn(Strict):
    """Of which files."""

    files: list[UUID] = Field(min_length=1, max_length=100)


class DigestsOut(Schema):
    """Of those that one may read, and that are known: others are left out."""

    digests: list[DigestOut]


class KeyOut(Schema):
    """What a master key protects; never the key."""

    key_id: str
    status: str
    is_primary: bool
    is_configured: bool
    retired_at: datetime | None
    live: int
    kept: int
    damaged: int
    writing: int
    bytes: int
    managed: int
    held: int
    secrets: int
    wrapped_before: int
    oldest: datetime | None


class KeysOut(Schema):
    """Every master key that matters, the primary one first."""

    keys: list[KeyOut]


class StoredOut(Schema):
    """What became of a file that was sent whole."""

    file: FileOut
    outcome: Literal["created", "version"]
    key: str | None = Field(
        default=None, description="Of a held file: its own key, shown now and not again."
    )
