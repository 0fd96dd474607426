"""Sweeping: what died, was given up or was deleted goes, as its rows say. Nothing else does.

The row is committed before the first byte goes to the store, and doomed before the object is
deleted: so rows alone tell what is left to do, and a sweep that is killed goes on when it is run
again. What the rows do not tell, `reconciliation` finds by looking into the bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

import audit
from accounts import finding
from audit import Event
from files.keys import custody
from files.models import AccessRequest, Item, KeptAnswer, StoredObject, UploadSession
from files.models.answers import KEPT
from files.models.asked import LASTS
from files.tree import adoption, placing, plain_names
from files.vault import emptying, removing, stored_objects, versions
from files.vault.quota import standing_still
from runtime import clock

State = StoredObject.State

PAGE = 500
"""Rows looked up at once."""


class Act(StrEnum):
    """What a sweep does, or only reports."""

    PURGE = auto()
    """Delete a doomed object past its grace."""
    ABANDON = auto()
    """Give up an upload past its expiry, and delete what there is of it."""
    ABORT = auto()
    """Abort a multipart upload that no row knows of any more."""
    TAIL = auto()
    """Delete what a complete upload left beside its object."""
    REPORT = auto()
    """An object without a row: leave it."""
    DELETE = auto()
    """An object without a row: delete it, for that was asked for."""
    MARK = auto()
    """A row whose object is gone: mark it damaged."""
    EXPIRE = auto()
    """A file, or a folder with all that is in it, that is in the trash too long: end it."""
    PRUNE = auto()
    """A former version beyond KEEP_VERSIONS and KEEP_VERSIONS_DAYS: end it."""


@dataclass(frozen=True)
class Step:
    """One thing that a sweep does to one object, or to what is in the trash. `size` is in bytes."""

    act: Act
    object_name: str
    file_id: UUID | None = None
    size: int | None = None
    age: timedelta | None = None
    failed: bool = False


Each = Callable[[Step], object]


def nobody(step: Step) -> None:
    """Told of every step, and does nothing about it."""


@dataclass
class Swept:
    """What a sweep did: objects and uploads removed, and those it could not remove yet.

    `expired` are files whose time in the trash was over, `pruned` former versions; `adopted` files
    of a release before folders that have a place in their owner's root now.
    """

    purged: int = 0
    abandoned: int = 0
    failed: int = 0
    expired: int = 0
    pruned: int = 0
    adopted: int = 0


def sweep(*, now: datetime | None = None, dry_run: bool = False, each: Each = nobody) -> Swept:
    """Remove doomed objects past their grace, and uploads that stand still past their expiry.

    Safe beside a running service, and beside another sweep. With `dry_run`, nothing is changed,
    and `each` is told what would be.
    """
    now = now or clock.now()
    swept = Swept()
    _empty(now, swept, each, dry_run=dry_run)
    for row in _paged(_doomed(now)):
        swept.purged += 1
        failed = not (dry_run or removing.purge(row))
        if failed:
            swept.purged -= 1
            swept.failed += 1
        each(_step(Act.PURGE, row, now, failed=failed))
    for row in _paged(_expired(now)):
        # Compare-and-set: it may have been published just now, or its client have come back.
        still = StoredObject.objects.filter(
            pk=row.pk, state=State.WRITING, state_changed_at=row.state_changed_at
        )
        if not dry_run and not removing.doom(still):
            continue
        swept.abandoned += 1
        failed = not (dry_run or removing.purge(row))
        swept.failed += failed
        each(_step(Act.ABANDON, row, now, failed=failed))
    if dry_run:
        return swept
    # Of a complete upload only its session is left, for a client that missed the last answer.
    UploadSession.objects.filter(completed_at__lte=now - settings.UPLOAD_EXPIRY).delete()
    custody.forget_lapsed(now)
    KeptAnswer.objects.filter(made_at__lt=now - KEPT).delete()
    AccessRequest.objects.filter(asked_at__lte=now - LASTS).delete()
    if swept != Swept():
        audit.record(
            Event.SWEPT,
            purged=swept.purged,
            abandoned=swept.abandoned,
            **{name: n for name in ("expired", "pruned", "adopted") if (n := getattr(swept, name))},
        )
    return swept


def _empty(now: datetime, swept: Swept, each: Each, *, dry_run: bool) -> None:
    """What is in the trash too long, and former versions that nobody keeps, go for good."""
    if dry_run:
        for folder in emptying.overdue_folders(now):
            swept.expired += placing.counts_below(folder)[0]
            each(Step(Act.EXPIRE, f"folder {folder.pk}", age=_age(folder, now)))
        for file in emptying.overdue_files(now):
            swept.expired += 1
            each(Step(Act.EXPIRE, "file", file.pk, file.size, _age(file, now)))
        swept.pruned = versions.prunable(now).count()
        return
    swept.adopted = adoption.adopt()
    plain_names.fill()
    finding.refresh()
    swept.expired = sum(emptying.expire(now))
    swept.pruned = sum(versions.prune_all(now))


def _age(item: Item, now: datetime) -> timedelta | None:
    return None if item.trashed_at is None else now - item.trashed_at


def due(now: datetime | None = None) -> int:
    """How many rows a sweep would take away."""
    now = now or clock.now()
    return _doomed(now).count() + _expired(now).count()


def _doomed(now: datetime) -> QuerySet[StoredObject]:
    past = now - settings.DOOMED_GRACE
    # Where its file is still on record, the file goes first.
    return StoredObject.objects.filter(
        state=State.DOOMED, state_changed_at__lte=past, file=None, kept=None
    )


def _expired(now: datetime) -> QuerySet[StoredObject]:
    return StoredObject.objects.filter(
        Q(state_changed_at__lte=now - settings.UPLOAD_EXPIRY)
        | standing_still(settings.EMPTY_UPLOAD_EXPIRY, now=now)
        # Nobody comes back to these, and while somebody writes them they show it.
        | Q(state_changed_at__lte=now - stored_objects.REENCRYPTION_EXPIRY, reencrypts=True),
        state=State.WRITING,
    )


def _paged(rows: QuerySet[StoredObject]) -> Iterator[StoredObject]:
    """All rows, some at a time: there may be very many, and each is gone once it is done."""
    last = 0
    rows = rows.defer("etags", "tails", "carry").order_by("pk")
    while page := list(rows.filter(pk__gt=last)[:PAGE]):
        yield from page
        last = page[-1].pk


def _step(act: Act, row: StoredObject, now: datetime, *, failed: bool) -> Step:
    age = now - row.state_changed_at
    return Step(act, row.object_name, row.file_id, row.object_size or None, age, failed)
