"""Moments in words, as the reader's language writes them, in the time zone of the page."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime


def in_words(moment: datetime) -> str:
    """Day and time to the minute: `30 Nov 2026, 08:30`, `30. November 2026, 08:30`."""
    local = localtime(moment)
    return f"{date_format(local, 'DATE_FORMAT')}, {date_format(local, 'H:i')}"
