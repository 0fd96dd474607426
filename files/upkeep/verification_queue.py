"""Which objects a verification takes next: pages that it claims, so that others take others.

A claim is a row; those of a process that is dead, or was silent for too long, are nobody's. Memory
does not grow with the number of objects. Must never say what became of one: that is `verification`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet, Sum

from files.models import StoredObject, VerificationClaim
from runtime import clock
from runtime.clock import Now
from runtime.leases import is_dead, new_lease

PAGE = 64
"""Objects claimed at once, at most."""

PAGE_BYTES = 256 << 20
"""Bytes after which a page is full, whatever the number: that much is lost with a kill."""

BEAT = 10.0
"""Seconds between two signs of life of a worker."""

CLAIM_EXPIRY = timedelta(minutes=5)
"""A claim that was not heard of for this long is nobody's."""


def not_since(moment: datetime) -> Q:
    """What was never verified, or before that moment."""
    return Q(verified_at=None) | Q(verified_at__lt=moment)


class Page:
    """Objects that one worker has in hand, and what it has found to be well among them."""

    def __init__(self, rows: list[StoredObject], lease: str = "") -> None:
        self.rows = rows
        self.well: list[int] = []
        self._lease = lease
        self._beaten = time.monotonic()

    def beat(self) -> None:
        """Show, once in a while, that the claims are somebody's."""
        if self._lease and time.monotonic() - self._beaten > BEAT:
            self._beaten = time.monotonic()
            self._claims().update(seen_at=Now())

    def settle(self) -> None:
        """Note what is well, and claim nothing any longer."""
        with transaction.atomic():
            StoredObject.objects.filter(pk__in=self.well).update(verified_at=Now())
            if self._lease:
                self._claims().delete()

    def _claims(self) -> QuerySet[VerificationClaim]:
        return VerificationClaim.objects.filter(lease=self._lease)


class Drawn:
    """Objects that were named, or drawn by chance. They are nobody else's business."""

    def __init__(self, drawn: list[tuple[int, int]]) -> None:
        """Primary keys, and plaintext bytes."""
        self.total = sum(size for _pk, size in drawn)
        self._ids = [pk for pk, _size in drawn]

    def take(self) -> Page | None:
        """The next page; None after the last."""
        while self._ids:
            ids, self._ids = self._ids[:PAGE], self._ids[PAGE:]
            if rows := _rows(ids):
                return Page(rows)
        return None


class Queue:
    """All objects not verified since a moment, shared with every other run that is under way."""

    def __init__(self, objects: QuerySet[StoredObject], since: datetime) -> None:
        self._objects = objects.filter(not_since(since))
        # Files that are uploaded meanwhile do not keep a run from its end.
        self._last: int = objects.aggregate(last=Max("pk"))["last"] or 0
        self._never_verified = True
        self._after: tuple[datetime | None, int] = (None, 0)
        self._elsewhere: list[int] = []
        self.total: int = self._objects.aggregate(n=Sum("size"))["n"] or 0
        _remove_dead_claims()

    def take(self) -> Page | None:
        """Claim the next page. None after the last; one without rows is worth a wait.

        So is all that is left what others have claimed. They may die, or find it damaged.
        """
        while ids := self._next():
            if page := self._claim(ids):
                return page
        return self._take_over()

    def _next(self) -> list[int]:
        moment, last = self._after
        found = self._objects.filter(pk__lte=self._last)
        if self._never_verified:
            found = found.filter(verified_at=None, pk__gt=last).order_by("pk")
        else:
            found = found.exclude(verified_at=None).order_by("verified_at", "pk")
            if moment is not None:
                found = found.filter(Q(verified_at__gt=moment) | Q(verified_at=moment, pk__gt=last))
        ids: list[int] = []
        room = PAGE_BYTES
        for pk, size, verified_at in found.values_list("pk", "size", "verified_at")[:PAGE]:
            if ids and size > room:
                break
            ids.append(pk)
            room -= size
            self._after = verified_at, pk
        if not ids and self._never_verified:
            self._never_verified, self._after = False, (None, 0)
            return self._next()
        return ids

    def _claim(self, ids: list[int]) -> Page | None:
        lease = new_lease()
        claims = VerificationClaim.objects
        claims.bulk_create(
            [VerificationClaim(stored_object_id=pk, lease=lease, seen_at=Now()) for pk in ids],
            ignore_conflicts=True,
        )
        mine = set(claims.filter(lease=lease).values_list("stored_object_id", flat=True))
        self._elsewhere += [pk for pk in ids if pk not in mine]
        # Again: another run may have verified them, and let them go, just before.
        page = Page(_rows(self._objects.filter(pk__in=mine).values_list("pk", flat=True)), lease)
        if page.rows:
            return page
        page.settle()
        return None

    def _take_over(self) -> Page | None:
        if not self._elsewhere:
            return None
        _remove_dead_claims()
        ids, self._elsewhere = self._elsewhere[:PAGE], self._elsewhere[PAGE:]
        left = list(self._objects.filter(pk__in=ids).values_list("pk", flat=True))
        return self._claim(left) or Page([])


def _rows(ids: Iterable[int]) -> list[StoredObject]:
    rows = StoredObject.objects.filter(pk__in=list(ids), state__in=StoredObject.LIVING)
    # What a resumable upload left in its row may be long, and is of no use here.
    return list(rows.select_related("file", "kept").defer("etags", "tails", "carry").order_by("pk"))


def _remove_dead_claims() -> None:
    expired = clock.now() - CLAIM_EXPIRY
    for claim in VerificationClaim.objects.all():
        if is_dead(claim.lease) or claim.seen_at < expired:
            same = VerificationClaim.objects.filter(pk=claim.pk, lease=claim.lease)
            same.filter(seen_at=claim.seen_at).delete()


def somebody_is_at_it() -> bool:
    """Whether another process is verifying: one that was killed has left claims, and is none."""
    recent = VerificationClaim.objects.filter(seen_at__gte=clock.now() - CLAIM_EXPIRY)
    leases = recent.order_by().values_list("lease", flat=True).distinct()
    return any(not is_dead(lease) for lease in leases)
