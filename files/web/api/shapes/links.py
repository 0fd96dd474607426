"""Links for people outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Field, Schema

from files.web.api.shapes.common import Strict, When


class LinkIn(Strict):
    """A link for people outside; without an end, for as long as links usually work."""

    expires_at: When | None = None
    label: str = Field(default="", max_length=100, description="For yourself.")
    password: str = Field(default="", max_length=200)
    addresses: list[Annotated[str, Field(max_length=254)]] = Field(
        default=[],
        max_length=50,
        description="Those to whom a code is sent by mail; @example.org: all of a domain.",
    )
    count: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        strict=True,
        description="Downloads there may be; null: any number.",
    )


class LinkOut(Schema):
    """A link: never its URL, which was told when it was made."""

    id: int
    file_id: UUID | None
    folder_id: UUID | None
    label: str
    made_by: str
    created_at: datetime
    expires_at: datetime
    status: Literal["live", "asleep", "expired", "revoked", "exhausted"] = Field(
        description="asleep: whoever made it lacks the access, or the permission, at the moment."
    )
    has_password: bool
    addresses: list[str]
    count: int | None
    used: int = Field(description="Complete downloads.")
    left: int | None = Field(description="Downloads; null: any number.")
    opened: int = Field(description="Visits: one an hour for each address.")
    attempts: int = Field(description="Wrong passwords and codes.")
    last_opened_at: datetime | None


class LinkMadeOut(LinkOut):
    """A new link."""

    url: str = Field(description="Told once.")


class LinksOut(Schema):
    """Links, the newest first."""

    links: list[LinkOut]
    next: int | None
