"""Downloads by a link, counted as people count them.

The first byte reserves one of the link's downloads, and the last one uses it. A download that ends
without its last byte gives it back, and one that nothing is heard of does after
`DOWNLOAD_IDLE_MINUTES`, a killed process's among them; what it has may be resumed. Who comes while
all that are left are reserved is told to try again. HEAD sends no byte and a range is not the last
of a file by itself: neither uses one up. Whoever never takes the last byte gains nothing all the
same: in all a link sends (count + 1) times what it is for, at most. What a request may send is
charged before its first byte, and what it did not send is given back at its end. A killed process
gives nothing back: so each notes ahead how far it may have sent by now, in steps that grow with
what it sent, and what lies beyond is given back when its download was idle for long enough.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import F, QuerySet

import audit
from files.errors import VaultError
from files.models import Link, LinkDownload
from files.vault import intervals
from files.vault.downloading import BEAT, LATE
from runtime import clock


class UsedUp(VaultError):
    """Nothing is left of the link."""


class AllReserved(VaultError):
    """All that is left is being downloaded: `wait` is how many seconds that may last, at most."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"all downloads that are left are running, for {wait} seconds at most")
        self.wait = wait


log = logging.getLogger(__name__)

SHORTEST: Final = timedelta(seconds=2 * BEAT)
"""A running download is heard of once in `BEAT` seconds, so none is idle before."""


STEP: Final = 1024 * 1024
"""Bytes that a request notes ahead at first; later an eighth of what it has sent, if that is more:
a few writes for a small file, and a hundred for 100 GB."""

ROW: Final = ("link", "slot", "size", "whole", "running", "covered", "seen_at", "done", "again")
"""What a request writes of its download as a whole. The sums that others add to meanwhile are
changed in place."""


@dataclass(frozen=True)
class Wanted:
    """What one request asks of a link.

    `what` is the content and `size` its bytes, of which `[start, stop)` are wanted; `whose` tells
    who asks. `bound` are the bytes of all that the link leads to. `resumed`: the request says that
    it goes on with this very content (If-Range).
    """

    what: str
    whose: str
    size: int
    bound: int
    start: int
    stop: int
    resumed: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all of it is wanted."""
        return (self.start, self.stop) == (0, self.size)


def idle_time() -> timedelta:
    """How long a reservation lasts that nothing is heard of."""
    idle: timedelta = settings.DOWNLOAD_IDLE
    return max(idle, SHORTEST)


def reserve(link_id: int, wanted: Wanted) -> Reservation:
    """Reserve one of the link's downloads, or join the one that the request is a part of.

    Raises UsedUp, AllReserved.
    """
    try:
        return _reserve(link_id, wanted)
    except UsedUp:
        with transaction.atomic():
            _note_used_up(_locked(link_id), wanted)
        raise


def _reserve(link_id: int, wanted: Wanted) -> Reservation:
    now = clock.now()
    with transaction.atomic():
        link = _locked(link_id)
        rows = LinkDownload.objects.filter(link=link)
        _let_go(link, rows.filter(seen_at__lt=now - idle_time()))
        slot = _slot(link_id, wanted)
        mine = rows.filter(slot=slot).first()
        row = _joined(link, mine, wanted)
        if row is None:
            if mine is not None:
                _leave(mine)
            _require_room(link, 0)
            row = LinkDownload(link=link, slot=slot, size=wanted.size, whole=False, running=0)
        elif not row.running and not row.done:
            _require_room(link, row.pk)
        _charge(link, wanted)
        row.running += 1
        row.whole |= wanted.is_whole
        row.seen_at = now
        row.save(update_fields=ROW if row is mine else None)
        noted = _promise(link, row, wanted)
    return Reservation(row.pk, link_id, wanted, noted)


def _promise(link: Link, row: LinkDownload, wanted: Wanted) -> int | None:
    """Note what a request was charged; how much of it may be sent before that is noted again.

    None: it need not be, for the link has no number of downloads.
    """
    if link.most is None:
        return None
    length = wanted.stop - wanted.start
    noted = min(length, STEP)
    mine = LinkDownload.objects.filter(pk=row.pk)
    mine.update(promised=F("promised") + length, noted=F("noted") + noted)
    return noted


def _let_go(link: Link, idle: QuerySet[LinkDownload]) -> None:
    """Forget downloads that nothing is heard of, and give back what their requests cannot have
    sent: those that live stop where they find theirs gone."""
    gone = list(idle.select_for_update(no_key=True))
    back = sum(row.promised - row.noted for row in gone)
    LinkDownload.objects.filter(pk__in=[row.pk for row in gone]).delete()
    if back > 0:
        link.charged -= min(link.charged, back)
        link.save(update_fields=["charged"])


def _locked(link_id: int) -> Link:
    found = Link.objects.select_for_update(no_key=True).filter(pk=link_id).first()
    if found is None:
        raise UsedUp
    return found


def _slot(link_id: int, wanted: Wanted) -> str:
    text = "\0".join((str(link_id), wanted.what, wanted.whose))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _joined(link: Link, mine: LinkDownload | None, wanted: Wanted) -> LinkDownload | None:
    """The download that the request is a part of; None where it begins another."""
    if mine is None:
        return None
    if mine.done:
        # What was handed over may have been lost on the way. Whoever says that they go on with it
        # has a little of it once more, without another download.
        length = wanted.stop - wanted.start
        if not wanted.resumed or not wanted.start or mine.again + length > LATE:
            return None
        mine.again += length
        return mine
    return None if mine.running and mine.whole and wanted.is_whole else mine


def _leave(mine: LinkDownload) -> None:
    """Let no further request join."""
    if mine.running:
        mine.slot = None
        mine.save(update_fields=["slot"])
    else:
        mine.delete()


def _require_room(link: Link, mine: int) -> None:
    if link.most is None:
        return
    if link.used >= link.most:
        raise UsedUp
    if link.used + _running(link).exclude(pk=mine).count() >= link.most:
        raise _reserved(link)


def _running(link: Link) -> QuerySet[LinkDownload]:
    return LinkDownload.objects.filter(link=link, running__gt=0, done=False)


def _reserved(link: Link) -> AllReserved:
    first = _running(link).order_by("seen_at").first()
    wait = (first.seen_at + idle_time() - clock.now()).total_seconds() if first else 1
    return AllReserved(max(1, int(wait) + 1))


def _charge(link: Link, wanted: Wanted) -> None:
    """Take the bytes out of what the link may send in all."""
    length = wanted.stop - wanted.start
    if link.most is not None and link.charged + length > (link.most + 1) * wanted.bound:
        raise _reserved(link) if _running(link).exists() else UsedUp
    Link.objects.filter(pk=link.pk).update(charged=F("charged") + length)


class Reservation:
    """One request's part in a download by a link. `end` it once; then it may be resumed."""

    def __init__(self, row_id: int, link_id: int, wanted: Wanted, noted: int | None) -> None:
        self._row_id = row_id
        self._link_id = link_id
        self._wanted = wanted
        self._noted = noted
        self._ended = False
        self._beaten = time.monotonic()

    def lets(self, handed: int) -> bool:
        """Whether so many bytes of the request may be handed over in all, which is noted ahead.

        Where its download was let go meanwhile, what lies beyond is no longer its own.
        """
        if self._noted is None or handed <= self._noted:
            return True
        length = self._wanted.stop - self._wanted.start
        ahead = min(handed + max(STEP, handed // 8), max(length, handed))
        mine = LinkDownload.objects.filter(pk=self._row_id)
        if not mine.update(noted=F("noted") + ahead - self._noted):
            return False
        self._noted = ahead
        return True

    def beat(self) -> None:
        """Say that it goes on. Writes once a minute at most."""
        if time.monotonic() - self._beaten > BEAT:
            self.is_alive()

    def is_alive(self) -> bool:
        """Whether the reservation stands; where it does, it lasts on from now."""
        now = clock.now()
        self._beaten = time.monotonic()
        alive = LinkDownload.objects.filter(pk=self._row_id, seen_at__gte=now - idle_time())
        return bool(alive.update(seen_at=now))

    def end(self, handed: int, taken: int) -> None:
        """The request is over: `handed` bytes were sent, `taken` of them are known to be on their
        way. Never raises; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        try:
            with transaction.atomic():
                self._write(handed, taken)
        except (DatabaseError, InterfaceError) as error:
            # The row stays, and is nobody's when it was idle for long enough.
            log.error("a download by link %s could not be noted: %s", self._link_id, error)

    def _write(self, handed: int, taken: int) -> None:
        wanted = self._wanted
        link = Link.objects.select_for_update(no_key=True).filter(pk=self._link_id).first()
        if link is None:
            return
        charged = wanted.stop - wanted.start
        row = LinkDownload.objects.filter(pk=self._row_id).first()
        if row is None and self._noted is not None:
            charged = self._noted  # The rest was given back when it was let go.
        link.charged -= min(link.charged, max(charged - handed, 0))
        if row is not None:
            row.running = max(row.running - 1, 0)
            row.seen_at = clock.now()
            row.covered = intervals.merged([*row.covered, [wanted.start, wanted.start + taken]])
            if not row.done and row.covered == ([[0, row.size]] if row.size else []):
                row.done = True
                link.used += 1
            row.save(update_fields=ROW)
            if self._noted is not None:
                mine = LinkDownload.objects.filter(pk=row.pk)
                mine.update(promised=F("promised") - charged, noted=F("noted") - self._noted)
        link.save(update_fields=["charged", "used"])
        _note_used_up(link, wanted)


def _note_used_up(link: Link, wanted: Wanted) -> None:
    """Record that a link is used up, once, where it is: by its number, or by its bytes."""
    if link.ended_at is None and (link.left == 0 or _is_spent(link, wanted)):
        Link.objects.filter(pk=link.pk).update(ended_at=clock.now())
        audit.record(audit.Event.LINK_EXHAUSTED, **told(link))


def _is_spent(link: Link, wanted: Wanted) -> bool:
    """Whether it sends no file whole any more, and no download that was begun can come to its end.

    Of a folder a smaller file may still fit, until nothing is left.
    """
    if link.most is None or not wanted.bound:
        return False
    left = (link.most + 1) * wanted.bound - link.charged
    if left >= (wanted.bound if wanted.size == wanted.bound else 1):
        return False
    begun = LinkDownload.objects.filter(
        link=link, done=False, seen_at__gte=clock.now() - idle_time()
    )
    return not any(
        row.running or (row.covered and row.size - intervals.length(row.covered) <= left)
        for row in begun
    )


def told(link: Link) -> dict[str, Any]:
    """What every event of a link has: which it is, what it leads to, and whose it is."""
    about: dict[str, Any] = {"link_id": link.pk, "user_id": link.maker_id}
    if link.folder_id is not None:
        about["folder_id"] = link.folder_id
    return about | {"file_id": link.file_id}
