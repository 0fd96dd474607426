"""Requests for files of people outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema

from files.web.api.shapes.common import Strict, When


class RequestIn(Strict):
    """What people outside are asked for; what is left out is as is usual on this site."""

    title: str = Field(min_length=1, max_length=120)
    words: str = Field(default="", max_length=2000)
    expires_at: When | None = None
    most_bytes: int | None = Field(default=None, ge=1, le=2**62, strict=True)
    most_files: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)
    most_senders: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)
    identify: Literal["name", "code"] = "name"
    addresses: list[Annotated[str, Field(max_length=254)]] = Field(
        default_factory=list, max_length=50, description="Who a code is sent to."
    )
    accept_first: bool = Field(
        default=False, strict=True, description="What is sent waits until the requester accepts it."
    )


class RequestOut(Schema):
    """A request for files, and how much came through it."""

    id: int
    folder_id: UUID
    title: str
    words: str
    made_by: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    identify: Literal["name", "code"]
    addresses: list[str]
    most_bytes: int
    most_files: int | None
    most_senders: int | None
    accept_first: bool
    senders: int
    files: int
    bytes: int
    waiting: int


class RequestMade(RequestOut):
    """A new one, with its address: it is told this once."""

    address: str


class RequestsOut(Schema):
    """Requests, by number."""

    requests: list[RequestOut]
    next: int | None


def request_out(one: Any) -> RequestOut:
    """A request as `files.sharing.requests.with_numbers` has it."""
    return RequestOut(
        id=one.pk,
        folder_id=one.folder_id,
        title=one.title,
        words=one.words,
        made_by=one.maker.get_username() if one.maker is not None else None,
        created_at=one.created_at,
        expires_at=one.expires_at,
        ended_at=one.ended_at,
        identify=one.identify,
        addresses=one.addresses,
        most_bytes=one.most_bytes,
        most_files=one.most_files,
        most_senders=one.most_senders,
        accept_first=one.accept_first,
        senders=one.senders_n,
        files=one.files_n,
        bytes=one.bytes_n,
        waiting=one.waiting_n,
    )
