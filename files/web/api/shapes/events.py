"""What happened: the history of a file, and the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Field, Schema


class HappenedOut(Schema):
    """Something that happened to a file."""

    number: int
    at: datetime
    event: str
    by: str
    words: str
    token: str | None = Field(description="The program's token, where it was one.")


class HistoryOut(Schema):
    """What happened to a file, the newest first. `next` goes on as `before`."""

    events: list[HappenedOut]
    next: int | None


class EventOut(Schema):
    """One event of the audit log, whole: its MAC can be checked by who has the key."""

    id: int
    at: datetime
    event: str
    actor_id: int | None
    actor_name: str
    address: str
    user_agent: str
    request_id: str
    file_id: UUID | None
    grant_id: int | None
    data: dict[str, Any]
    previous_mac: str
    mac: str


class EventsOut(Schema):
    """Events by their number. `next` goes on as `after`, also later, when more have happened."""

    events: list[EventOut]
    next: int
    more: bool
