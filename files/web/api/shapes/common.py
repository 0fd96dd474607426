"""What all shapes of the API are made of: moments, levels, refusals, and what a program sends."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict

from files.web.transfers.moments import FIRST, LAST

Level = Literal["owner", "manage", "add", "download"]


def _as_text(given: Any) -> Any:
    """Text that begins as a date: a number could be seconds or thousandths. Raises ValueError."""
    if isinstance(given, datetime) or (
        isinstance(given, str) and re.match(r"\d{4}-\d\d-\d\d", given, re.ASCII)
    ):
        return given
    raise ValueError("a moment is text, as 2026-01-31T12:00:00Z")


def _moment(given: datetime) -> datetime:
    """In UTC, which not every moment can be told in. Raises ValueError."""
    if given.tzinfo is None:
        raise ValueError("a moment needs its offset, as in 2026-01-31T12:00:00Z")
    try:
        found = given.astimezone(UTC)
        if not FIRST <= found <= LAST:
            raise OverflowError
    except OverflowError:
        raise ValueError("that is not between the years 100 and 9999") from None
    return found


When = Annotated[datetime, BeforeValidator(_as_text)]
"""A moment that a program sends; whether it can be is the use case's to say."""

Moment = Annotated[datetime, BeforeValidator(_as_text), AfterValidator(_moment)]
"""A moment that a program sends."""

SOME: Any = {"minLength": 1}
"""What the schema says of a text that is refused in its own words where it is empty."""


class Problem(Schema):
    """A refusal, as RFC 9457 has it. Programs go by `code`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str


class Strict(Schema):
    """What a program sends: a field that is not known is refused, and not left out."""

    model_config = ConfigDict(extra="forbid")
