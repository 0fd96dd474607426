"""Telling people that what is shared with them ends soon, or begins now: each once.

What begins later than it was given is told here as it begins. A sweep asks, every hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, QuerySet

from files.models import Grant
from files.sharing.granting import notices_of
from notices import Kind, telling
from notices.telling import About

SOON: Final = timedelta(days=3)
BEGUN: Final = timedelta(days=2)
"""How long ago something may have begun and still be told: longer than sweeps are apart."""

_BATCH = 500


def tell_ends(now: datetime) -> int:
    """Tell whom something is shared with that it ends within three days; how many were told."""
    told = 0
    for grants in _batches(Grant.objects.ending(now, within=SOON)):
        ends = {grant.pk: grant.expires_at for grant in grants}
        said = [
            replace(
                one,
                once=f"{one.once} until {ends[_number(one)]:%Y-%m-%dT%H:%M}",
                details={"until": f"{ends[_number(one)]:%Y-%m-%dT%H:%M%z}"},
            )
            for one in notices_of(grants)
        ]
        told += telling.notify_each(Kind.GRANT_ENDS, telling.untold(said))
    return told


def tell_begun(now: datetime) -> int:
    """Tell whom something was given for later that it has begun; how many were told."""
    begun = Grant.objects.live(now).filter(starts_at__gt=now - BEGUN)
    later = begun.filter(starts_at__gt=F("created_at"))
    return sum(
        telling.notify_each(Kind.SHARED_WITH_YOU, telling.untold(notices_of(grants)))
        for grants in _batches(later)
    )


def _batches(grants: QuerySet[Grant]) -> Iterator[list[Grant]]:
    """All of them, a batch after the other."""
    rows = grants.select_related("file", "folder").order_by("pk")
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:_BATCH]):
        last = batch[-1].pk
        yield batch


def _number(one: About) -> int:
    """The grant that a notice is of."""
    return int(one.once.partition(" ")[2])
