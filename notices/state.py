"""How the queue of mails is: what waits, for how long, and what could not be sent. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min, Q

from audit.models import LastRun
from notices.models import Mail

STILL: Final = timedelta(minutes=10)
"""For which mails may wait, or nobody deliver, before something is wrong."""


@dataclass(frozen=True, slots=True)
class State:
    """The queue at one moment."""

    waiting: int
    """Neither sent nor given up, those that failed before included."""
    failing: int
    """Of these, those that the mail server did not take at the last try."""
    given_up: int
    """Refused for good, or too late, in the last weeks."""
    oldest: timedelta
    """How long the oldest that waits has waited."""
    last_error: str
    """What the mail server said of one that fails; empty where none does."""
    delivered_at: datetime | None
    """When `deliver` was last known to run."""

    def is_still(self, now: datetime) -> bool:
        """Whether mails wait and nobody sends them."""
        lately = self.delivered_at is not None and now - self.delivered_at < STILL
        return self.waiting > 0 and self.oldest > STILL and not lately


def read(now: datetime) -> State:
    """Look. Three queries, each by an index or over the mails of some weeks."""
    waits = Q(sent_at=None, ended_at=None)
    fails = waits & ~Q(last_error="")
    found = Mail.objects.order_by().aggregate(
        waiting=Count("pk", filter=waits),
        failing=Count("pk", filter=fails),
        given_up=Count("pk", filter=Q(ended_at__isnull=False)),
        oldest=Min("made_at", filter=waits),
    )
    said = ""
    if found["failing"]:
        newest = Mail.objects.filter(fails).order_by("-due_at").values_list("last_error", flat=True)
        said = newest.first() or ""
    run = LastRun.objects.filter(pk="deliver").values_list("ended_at", flat=True).first()
    oldest = now - found["oldest"] if found["oldest"] else timedelta()
    return State(
        found["waiting"], found["failing"], found["given_up"], oldest, said, delivered_at=run
    )
