"""Moments in words, as the reader's language writes them, in the time zone of the page."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import get_language


def in_words(moment: datetime) -> str:
    """Day and time to the minute: `30 Nov 2026, 08:30`, `30. November 2026, 08:30`."""
    local = localtime(moment)
    return f"{_day(get_language(), local.date())}, {local:%H:%M}"


def as_moment(moment: datetime) -> SafeString:
    """A moment as a `time` element: to the minute, and by ISO 8601 to the second in its title."""
    local = localtime(moment)
    day = escape(_day(get_language(), local.date()))
    # The rest has digits and signs alone: a list shows a hundred of them.
    return mark_safe(  # noqa: S308
        f'<time datetime="{local.isoformat()}"'
        f' title="{local.isoformat(timespec="seconds")}">{day}, {local:%H:%M}</time>'
    )


@lru_cache(1024)
def _day(language: str | None, day: date) -> str:
    del language  # Of the key alone: it is that of the page.
    return date_format(day, "DATE_FORMAT")
