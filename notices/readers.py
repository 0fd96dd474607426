"""In which language and time zone something is written to somebody who is not at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.utils import timezone, translation


class Person(Protocol):
    """What is asked of an account."""

    @property
    def pk(self) -> int:
        """Its number."""

    email: str
    language: str
    time_zone: str


@cache
def zones() -> frozenset[str]:
    """The names of time zones that one can choose: places, and UTC."""
    return frozenset(one for one in available_timezones() if "/" in one or one == "UTC")


def languages() -> frozenset[str]:
    """The codes of the languages that pages are in."""
    return frozenset(code for code, _ in settings.LANGUAGES)


def language_for(chosen: str) -> str:
    """The language that was chosen, or the site's."""
    return chosen if chosen in languages() else str(settings.LANGUAGE_CODE)


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of that name; None where there is none."""
    return ZoneInfo(name) if name in zones() else None


@contextmanager
def writing_to(language: str, zone: str = "") -> Iterator[None]:
    """What is written within is for a reader of that language and zone, whoever has the request.

    Where they have chosen nothing, or have no account, it is as the site has it.
    """
    with (
        translation.override(language_for(language)),
        timezone.override(zone_named(zone) or timezone.get_default_timezone()),
    ):
        yield
