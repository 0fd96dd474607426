"""When an original was last changed, as its client says: read from text, and told in HTTP.

A client's word and no more: nothing is decided by it, but what a client asks about it itself.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils.http import http_date, parse_http_date_safe

FIRST: Final = datetime(100, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 29, tzinfo=UTC)
"""What lies beyond cannot be told in every time zone, or as a date of HTTP."""

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def parse_moment(text: str) -> datetime:
    """A moment as RFC 3339 writes it, to the microsecond. Raises ValueError, in words."""
    found = _RFC_3339.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"“{text[:40]}” is no time as RFC 3339 has it, such as 2026-11-29T17:40:00Z."
        )
    day, minute, second, fraction, zone = found.groups()
    # A leap second is a second of its own there; here it is the first of the next minute.
    leap = second == "60"
    try:
        moment = datetime.fromisoformat(
            f"{day}T{minute}{'59' if leap else second}.{(fraction or '0')[:6]:0<6}"
            f"{'+00:00' if zone in 'Zz' else zone}"
        ) + timedelta(seconds=leap)
        if not FIRST <= moment <= LAST:
            raise OverflowError
    except OverflowError:
        raise ValueError(f"“{text[:40]}” is not between the years 100 and 9999.") from None
    except ValueError:
        raise ValueError(f"“{text[:40]}” is no moment of the calendar.") from None
    return moment.astimezone(UTC)


def as_last_modified(moment: datetime, now: datetime) -> str:
    """The moment for `Last-Modified`, which is never later than now (RFC 9110, 8.8.2.1)."""
    return http_date(min(moment, now).timestamp())


def is_exactly(header: str, moment: datetime) -> bool:
    """Whether a header names this moment, to the second of HTTP's dates (RFC 9110, 5.6.7)."""
    return parse_http_date_safe(header) == int(moment.timestamp() // 1)
