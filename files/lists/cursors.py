"""Cursors: where a page ended, as the address of the next one carries it.

Anybody may make one up: it is read, or ignored. It decides nothing about who may see what.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from files.records.ordering import FIRST, LAST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = 9000 * 366 * 24 * 3600 * 1_000_000
"""About as many microseconds as a datetime can be computed with."""

Reader = Callable[[Any], Any]


def encode(*values: datetime | UUID | int | str) -> str:
    """One text of the values, in letters that an address may have."""
    plain = [_plain(value) for value in values]
    raw = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(cursor: str, *kinds: Reader) -> tuple[Any, ...] | None:
    """The values, read as these kinds; None where the text has no such meaning."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        plain = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if not isinstance(plain, list) or len(plain) != len(kinds):
            return None
        return tuple(kind(value) for kind, value in zip(kinds, plain, strict=True))
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        return None


def text(value: Any) -> str:
    """A text that a database takes. Raises ValueError, TypeError."""
    if not isinstance(value, str):
        raise TypeError
    if "\0" in value:
        raise ValueError
    value.encode()  # Half a surrogate pair is no text.
    return value


def number(value: Any) -> int:
    """A number of 64 bits. Raises ValueError, TypeError."""
    if type(value) is not int:
        raise TypeError
    if not FIRST <= value <= LAST:
        raise ValueError
    return value


def moment(value: Any) -> datetime:
    """A moment, to the microsecond. Raises ValueError, TypeError, OverflowError."""
    if not 0 <= number(value) < _YEARS:
        raise ValueError
    return _EPOCH + timedelta(microseconds=value)


def uuid(value: Any) -> UUID:
    """An id of a file or a folder. Raises ValueError, TypeError."""
    return UUID(text(value))


def one_of(*allowed: str) -> Reader:
    """Reads one of these texts."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError
        return str(value)

    return read


def position_in_time(cursor: str, tie: Reader, *, down: bool) -> tuple[Any, ...] | None:
    """A moment, and what tells two of one moment apart; None where it is none in that order."""
    found = decode(cursor, one_of("-" if down else "+"), moment, tie)
    return found and found[1:]


def joined(cursors: Sequence[str]) -> str:
    """Several cursors as one: of a list that is merged of several."""
    return encode(*cursors)


def parted(cursor: str, count: int) -> list[str]:
    """The cursors that one is made of; empty ones where it means nothing."""
    found = decode(cursor, *[text] * count)
    return list(found) if found is not None else [""] * count


def _plain(value: datetime | UUID | int | str) -> int | str:
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    return value.hex if isinstance(value, UUID) else value
