"""Who can read something, by which grant, and what was shared."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema

from accounts.models import User
from files.models import Grant, Item
from files.web.api.shapes.common import SOME, Level, Moment, Strict


class RecipientOut(Schema):
    """A person or a group."""

    kind: Literal["user", "group"]
    name: str


class GrantOut(Schema):
    """That somebody can read something, and what else."""

    id: int
    recipient: RecipientOut
    level: Literal["manage", "add", "download"]
    starts_at: datetime | None
    expires_at: datetime | None
    reason: str
    status: str
    granted_by: str | None
    created_at: datetime
    folder_id: UUID | None = Field(
        description="Of an inherited one: the folder that it is on, where the token reaches it."
    )


class GrantsOut(Schema):
    """Who can read something: by grants of its own, by number, and of folders above it."""

    grants: list[GrantOut]
    inherited: list[GrantOut] = Field(description="The newest 50; on the first page alone.")
    next: int | None


class GrantIn(Strict):
    """To share with everybody named, or with nobody."""

    to: list[Annotated[str, Field(max_length=300, json_schema_extra=SOME)]] = Field(
        min_length=1, max_length=50, description="User names, addresses, names of groups, in full."
    )
    level: Literal["manage", "add", "download"] = "download"
    starts_at: Moment | None = None
    expires_at: Moment | None = None
    reason: str = Field(default="", max_length=200)


class OutcomeOut(Schema):
    """What became of one of those named."""

    grant: GrantOut
    outcome: Literal["made", "extended", "same"]


class SharedOut(Schema):
    """What became of all of them."""

    outcomes: list[OutcomeOut]


class ReasonOut(Schema):
    """Why somebody reaches something."""

    grant_id: int | None = Field(description="Null: as its owner.")
    via_group: str | None
    folder_id: UUID | None
    until: datetime | None
    level: Level


class ReaderOut(Schema):
    """Somebody who reaches something."""

    username: str
    name: str
    may_download: bool
    reasons: list[ReasonOut]


class ReachingLinkOut(Schema):
    """A link by which people outside read something."""

    id: int
    made_by: str
    expires_at: datetime
    folder_id: UUID | None = Field(description="The folder that it is to, where it is to one.")
    awake: bool = Field(description="Whether its maker has the access and the permission now.")


class ReadersOut(Schema):
    """Effective access: everybody who reads it, by name."""

    readers: list[ReaderOut]
    links: list[ReachingLinkOut] = Field(
        default=[], description="For people outside; on the first page."
    )
    next: str | None


def recipient_out(grant: Grant) -> RecipientOut:
    """Whom a grant is to."""
    if grant.group is not None:
        return RecipientOut(kind="group", name=grant.group.name)
    name = grant.user.username if isinstance(grant.user, User) else grant.recipient_name
    return RecipientOut(kind="user", name=name)


def grant_out(grant: Grant, above: Collection[UUID] = (), item: Item | None = None) -> GrantOut:
    """A grant; `above` are folders that the token reaches."""
    level: Any = grant.level
    inherited = item is not None and grant.folder_id not in {None, item.pk}
    return GrantOut(
        id=grant.pk,
        recipient=recipient_out(grant),
        level=level,
        starts_at=grant.starts_at,
        expires_at=grant.expires_at,
        reason=grant.reason,
        status=str(grant.status),
        granted_by=grant.granted_by.username if grant.granted_by else None,
        created_at=grant.created_at,
        folder_id=grant.folder_id if inherited and grant.folder_id in above else None,
    )
