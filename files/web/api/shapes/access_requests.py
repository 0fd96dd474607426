"""Requests for access to what one was not given."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from ninja import Field, Schema

from files.models import AccessRequest
from files.sharing.asking import Own
from files.web.api.shapes.common import Strict, When


class AccessAskIn(Strict):
    """What to ask access for: one of the two ids."""

    file: UUID | None = None
    folder: UUID | None = None
    reason: str = Field(min_length=1, max_length=500)


class OwnAccessRequestOut(Schema):
    """What one has asked for. Nothing in it tells whether it exists, but that one can see it."""

    kind: Literal["file", "folder"]
    id: UUID = Field(description="As it was asked for.")
    reason: str
    asked_at: datetime
    ends_at: datetime
    visible: bool = Field(description="Whether one can see it by now.")


class OwnAccessRequestsOut(Schema):
    """What one has asked for, the newest first."""

    requests: list[OwnAccessRequestOut]


class AccessRequestOut(Schema):
    """That somebody asks for access."""

    number: int
    asker: str = Field(description="User name.")
    asker_name: str
    kind: Literal["file", "folder"]
    id: UUID
    name: str = Field(description="Of the file or folder.")
    reason: str
    asked_at: datetime
    ends_at: datetime


class AccessRequestsOut(Schema):
    """Requests to answer. `next` goes on as `before`."""

    requests: list[AccessRequestOut]
    next: int | None


class AccessAnswerIn(Strict):
    """For what, and until when."""

    level: Literal["manage", "add", "download"] = "download"
    expires_at: When | None = None
    reason: str = Field(default="", max_length=200)


class AccessDeclineIn(Strict):
    """A word for others who may decide."""

    word: str = Field(default="", max_length=200)


def own_access_request_out(one: Own) -> OwnAccessRequestOut:
    """What one has asked for oneself."""
    row, kind = one.asked, cast("Any", one.asked.kind)
    return OwnAccessRequestOut(
        kind=kind,
        id=row.wanted,
        reason=row.reason,
        asked_at=row.asked_at,
        ends_at=row.ends_at,
        visible=one.item is not None,
    )


def access_request_out(row: AccessRequest, name: str) -> AccessRequestOut:
    """What somebody else asks for, with the name of the file or folder."""
    return AccessRequestOut(
        number=row.pk,
        asker=row.asker.username,
        asker_name=row.asker.get_full_name(),
        kind=cast("Any", row.kind),
        id=row.wanted,
        name=name,
        reason=row.reason,
        asked_at=row.asked_at,
        ends_at=row.ends_at,
    )
