"""What commands take on their command lines, as argparse reads it: ages, files, samples."""

import re
import uuid
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from files.crypto.errors import MalformedKey
from files.crypto.masterkey import LocalMasterKey

OLDEST = timedelta(days=365_000)
"""Further back the calendar ends."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def age(text: str) -> timedelta:
    """A duration with its unit: `90d`, `12h`, `30m`, `2w`."""
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip().lower())
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not an age: write it like 90d, 12h, 30m or 2w")
    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if found > OLDEST:
        raise ArgumentTypeError(f"{text!r} is longer than a thousand years: is it what you mean?")
    return found


def file_id(text: str) -> uuid.UUID:
    """A file's id."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a file's id: it is in the file's URL") from None


def key_id(text: str) -> str:
    """A master key's id. A key that is typed in its place is not shown again."""
    try:
        meant = LocalMasterKey(text).id
    except MalformedKey:
        return text
    raise ArgumentTypeError(
        f"that is a master key itself, not its id, which is {meant}: keep keys out of command lines"
    )


def moment(text: str) -> datetime:
    """A moment in the past: a date, a date with a time, or how long ago (`30d`)."""
    try:
        return timezone.now() - age(text)
    except ArgumentTypeError:
        pass
    try:
        found = parse_datetime(text.strip())
        if found is None and (date := parse_date(text.strip())) is not None:
            found = datetime(date.year, date.month, date.day)  # noqa: DTZ001  made aware below
    except ValueError:
        found = None
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a date: write 2026-01-31, or an age like 30d")
    try:
        aware = timezone.make_aware(found) if timezone.is_naive(found) else found.astimezone(UTC)
    except OverflowError:  # The very first and last days, in some zones.
        raise ArgumentTypeError(f"{text!r} is beyond the calendar") from None
    if aware > timezone.now():
        # Nothing is from then on, and nothing of nothing is damaged: all would seem well.
        raise ArgumentTypeError(f"{text!r} is still to come: write a day that has been")
    return aware


def given_path(text: str) -> Path:
    """A file or a folder. An empty one, as of a variable that is not set, is not where one is."""
    if not text.strip():
        raise ArgumentTypeError("the path is empty: name a file or a folder")
    return Path(text)


def sample(text: str) -> float | int:
    """A share as a float up to 1 (`1%`), or a number as an int (`500`)."""
    match = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,9}))?(%?)", text.strip())
    if match is None or (match[2] and not match[3]):
        raise ArgumentTypeError(f"{text!r} is not a sample: write a share like 1%, or a number")
    number = float(text.strip().rstrip("%")) / 100 if match[3] else int(match[1])
    if not number or (match[3] and number > 1):
        raise ArgumentTypeError(f"{text!r} is not a sample: more than nothing, and at most 100%")
    return number


MOST_WORKERS = 64
"""Each holds a thread, a connection to the database and one to the store."""


def workers(text: str) -> int:
    """How many work at once, `MOST_WORKERS` at most."""
    found = at_least_one(text)
    if found > MOST_WORKERS:
        raise ArgumentTypeError(f"{text!r} is more than {MOST_WORKERS}, which is the most at once")
    return found


def at_least_one(text: str) -> int:
    """A number of rows or the like."""
    if not re.fullmatch(r"\d{1,9}", text.strip()) or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} must be at least 1")
    return int(text)
