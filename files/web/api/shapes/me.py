"""Who asks, and by which token."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ninja import Field, Schema


class TokenOut(Schema):
    """The token that the request came with."""

    id: int
    name: str
    scopes: list[str]
    folder_id: UUID | None
    networks: list[str]
    expires_at: datetime


class MeOut(Schema):
    """Who asks."""

    username: str
    name: str
    root_id: UUID | None = Field(description="The folder of one's own files, where it is reached.")
    token: TokenOut
    used_bytes: int
    quota_bytes: int | None = Field(description="Null: without a limit.")
