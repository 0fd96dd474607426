"""What whoever runs the vault should look at: damage, access that ends, work that is overdue.

Each question is one query that an index answers, whatever there is: a front page asks them all.
Nothing is counted beyond `MOST`. Reads only, and must never decide who may know.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from accounts.models import Invitation
from audit.events import Event
from audit.models import AuditEvent, LastRun
from files.keys.master_keys import keyring
from files.models import Grant, MasterKey, StoredObject

MOST = 1000
"""Of anything, so many are counted at most: the list that is linked shows the rest."""

ENDING = timedelta(days=7)
"""A share that ends within this time is worth a look: somebody may still need it."""

LOCKED_OUT_FOR = timedelta(days=1)
"""How long a lock-out is worth a look: it ends by itself within minutes or an hour."""

LOOKED_AT = 200
"""Lock-outs that are looked at, the last ones: an attack makes very many."""

WATCHED = {
    "verify_files": timedelta(days=2),
    "verify_audit": timedelta(days=2),
    "backup": timedelta(days=2),
    "restore_drill": timedelta(days=9),
    "sweep": timedelta(hours=2),
}
"""Work that must be done again and again, and after how long without it it is late. As the alerts
in deploy/alerts.yml; a drill is weekly, and has two days more."""

ROTATION = "rotate_master_key"


def damaged() -> int:
    """Versions of files that do not read back, current and former ones."""
    return count(StoredObject.objects.filter(state__in=StoredObject.SPOILT))


def ending(now: datetime) -> int:
    """Shares that end soon."""
    return count(Grant.objects.ending(now, within=ENDING))


def unused_invitations() -> int:
    """Invitations that nobody has accepted or taken back, whether their links still work or not."""
    return count(Invitation.objects.waiting())


def locked_out(now: datetime) -> list[str]:
    """Whom a limit shut out lately, or from which address, each once, the last first."""
    events = AuditEvent.objects.filter(event=Event.LOCKED_OUT).order_by("-id")
    rows = events.values_list("at", "data__username", "actor_name", "address")[:LOOKED_AT]
    found = (
        username or actor or address
        for at, username, actor, address in rows
        if at > now - LOCKED_OUT_FOR
    )
    return [*dict.fromkeys(name for name in found if name)]


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of recurring work: when it last succeeded, and what is wrong with that."""

    name: str
    succeeded_at: datetime | None
    outcome: str
    """`complete`, `running`, `failed`, `stopped`; empty where it never ran."""
    late: bool

    @property
    def failed(self) -> bool:
        """Whether the last run did not come to its end."""
        return self.outcome not in {"complete", "running", ""}

    @property
    def needs_attention(self) -> bool:
        return self.late or self.failed


@dataclass(frozen=True, slots=True)
class Runs:
    """What the log of runs knows. One query."""

    work: tuple[Work, ...]
    rotation: Any
    """The last run of `rotate_master_key`; None where there was none."""


def runs(now: datetime) -> Runs:
    """What is known of the last runs of all that is watched."""
    rows = {row.name: row for row in LastRun.objects.filter(pk__in=[*WATCHED, ROTATION])}
    return Runs(
        tuple(_work(name, rows.get(name), now) for name in WATCHED),
        rows.get(ROTATION),
    )


def _work(name: str, row: LastRun | None, now: datetime) -> Work:
    if row is None:
        return Work(name, None, "", late=True)
    # What runs at the moment is not late yet: its last success is older than itself.
    reached = row.succeeded_at or row.started_at
    known = max(reached, row.started_at) if row.outcome == "running" else reached
    late = now - known > WATCHED[name] or (row.succeeded_at is None and row.outcome != "running")
    return Work(name, row.succeeded_at, row.outcome, late=late)


def unfinished_rotation(last: LastRun | None) -> Collection[str]:
    """Master keys that may still wrap something though another one is the primary. One query.

    No row of a file is looked at: while a key stays configured beside the primary, the last run of
    `rotate_master_key` must have said that nothing is left under it.
    """
    ring = keyring()
    others = set(ring.ids) - {ring.primary_id}
    if not others:
        return ()
    done = last is not None and last.outcome == "complete" and last.figures.get("left") == 0
    if done and last is not None and last.figures.get("primary") == ring.primary_id:
        return ()
    retired = MasterKey.objects.filter(pk__in=others, retired_at__isnull=False)
    return sorted(others - set(retired.values_list("pk", flat=True)))


def count(rows: QuerySet[Any]) -> int:
    """How many there are, `MOST` at most."""
    return rows.order_by()[:MOST].count()
