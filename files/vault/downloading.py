"""Downloads as people understand them: one is one event, however many requests it took.

A client may fetch a file in pieces, four at once, stop, and go on later. Each request notes itself
in the row of its download before its first byte, and what it sent when it ends. The row becomes one
event and goes: when every byte has been sent and no request is left, at once when a request failed
or the access ended, and otherwise when nothing has been heard of it for `DOWNLOAD_IDLE_MINUTES`.

What is on its way is not received yet: a client that is cut off near the end, or fetches in pieces
what its first request was handed already, asks again for parts of what is complete here. So a
complete download stays a while and takes a few of them, without another event; a request from the
beginning is a new one.

The requests of one download have user, session or token, address, user agent, grant and content in
common, so that what the event says is true for all of its bytes. A second request for the whole
file is another download. Nothing here decides who may read: it only notes which grant let them.
"""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, transaction
from django.db.models import QuerySet

import audit
from accounts.models import User
from audit import Event, context
from files.access.explaining import access_of
from files.access.principals import Link, Person
from files.errors import AccessEnded
from files.models import DownloadSession, FileRecord
from files.vault import intervals, recent
from notices import Kind, notify, telling
from runtime import clock
from runtime.statements import MOMENT, NUMBER, TEXT, statement

log = logging.getLogger(__name__)

COMPLETE: Final = "complete"
ABORTED: Final = "aborted"
FAILED: Final = "failed"
REVOKED: Final = "revoked"

BEAT = 60.0
"""Seconds between two notes of a request that sends for long: it must not look idle."""

LATE = 32 * 1024 * 1024
"""Bytes of a complete download that may be sent again: buffers on the way may have held them."""

TO_COUNT = timedelta(minutes=5)
"""How much longer `sweep` leaves them where a server counts: it closes them when it is asked."""

AT_ONCE = 20
"""Idle downloads that one request settles besides its own work, at most."""

LOOKED_EVERY = 1.0
"""Seconds between two looks of one process for them, at least: each is a query."""


@dataclass(frozen=True)
class Part:
    """The bytes `[start, stop)` of a file that one request is for."""

    start: int
    stop: int


def begin(
    record: FileRecord,
    part: Part,
    *,
    user: User,
    session: str | None,
    link: Link | None = None,
) -> Sending:
    """Note that a request begins to send these bytes. Call it before the first one goes out.

    `session` is what the user's browser session, or the program's token, is known by: later
    requests of the same one are the same download. None: no other request ever is. `link` is what
    somebody outside came by, and `user` its maker then.

    Raises AccessEnded, DatabaseError.
    """
    access = access_of(link or Person(user), record)
    if access is None or (record.former_id is not None and not access.may_manage):
        raise AccessEnded
    _settle_now_and_then()
    around = context.current()
    now = clock.now()
    new = DownloadSession(
        slot=None,
        file_id=record.pk,
        version=record.former_version,
        size=record.size,
        # Who is outside has no account.
        actor_id=0 if link else user.pk,
        actor_name="" if link else user.get_username(),
        link_id=link.number if link else None,
        address=around.address,
        user_agent=around.user_agent,
        request_id=around.request_id,
        grant_id=access.grant_id,
        token_id=around.token_id,
        token_name=around.token_name,
        begun_at=now,
        seen_at=now,
        whole=(part.start, part.stop) == (0, record.size),
        requests=1,
        running=1,
    )
    if session is not None:
        new.slot = _slot(new, session, record)
    row = _enter(new, part)
    if row.requests == 1 and link is None:
        recent.note_opened(user.pk, record.pk)
    return Sending(row, part)


def _slot(row: DownloadSession, session: str, record: FileRecord) -> str:
    parts = (
        *(row.actor_id, record.version.hex, session),
        *(row.address, row.user_agent, row.grant_id, row.token_id, row.link_id),
    )
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def _enter(new: DownloadSession, part: Part) -> DownloadSession:
    """Join the download that is under way in the row's slot, or begin it."""
    if new.slot is None:
        new.save(force_insert=True)
        return new
    for _ in range(3):
        # On PostgreSQL another request may be faster to begin it: then it is there to be joined.
        with suppress(IntegrityError), transaction.atomic():
            found = _locked_of.first(slot=new.slot)
            if found is not None and not _takes(found, new, part):
                _leave(found)
                found = None
            if found is None:
                new.save(force_insert=True)
                return new
            found.requests += 1
            found.running += 1
            found.whole |= new.whole
            found.seen_at = new.seen_at
            _change(found, "requests", "running", "whole", "seen_at")
            return found
    new.slot = None
    new.save(force_insert=True)
    return new


@statement(slot=TEXT)
def _locked_of(slot: Any) -> QuerySet[DownloadSession]:
    return DownloadSession.objects.select_for_update(no_key=True).filter(slot=slot)


@statement(row=NUMBER)
def _locked(row: Any) -> QuerySet[DownloadSession]:
    return DownloadSession.objects.select_for_update(no_key=True).filter(pk=row)


def _change(row: DownloadSession, *fields: str) -> None:
    """Write these fields of a row that is locked, by a statement that is written once."""
    _locked.update({name: getattr(row, name) for name in fields}, row=row.pk)


def _keep(row: DownloadSession) -> None:
    """Write what a request changes of its row."""
    if not row.pk:
        row.save(force_insert=True)
    else:
        _change(row, "running", "bytes", "covered", "seen_at", "slot", "settled")


def _takes(found: DownloadSession, new: DownloadSession, part: Part) -> bool:
    """Whether the request belongs to that download, and does not begin another."""
    if _is_idle(found, new.seen_at):
        return False
    if found.settled:
        return part.start > 0 and found.bytes + part.stop - part.start <= LATE
    return not (found.whole and new.whole)


def _leave(found: DownloadSession) -> None:
    """Let no more requests join. What nobody is sending for any more is over."""
    if found.running and not _is_idle(found, clock.now()):
        found.slot = None
        found.save(update_fields=["slot"])
    elif found.settled:
        found.delete()
    else:
        _settle(found)


class Sending:
    """One request's part in a download. Tell it how many bytes went out; `end` it once.

    `handed` bytes were given to the server to send; of these, `taken` are known to be on their way,
    for it asked for more. Only they count towards a complete file.
    """

    def __init__(self, row: DownloadSession, part: Part) -> None:
        self._row = row
        self._part = part
        self._noted = 0
        self._ended = False
        self._beaten = time.monotonic()

    def sent(self, taken: int) -> None:
        """That many bytes of the part have been sent by now. Writes once a minute at most."""
        if time.monotonic() - self._beaten > BEAT:
            self._beaten = time.monotonic()
            self._note(taken, taken, None)

    def end(self, outcome: str, handed: int, taken: int) -> None:
        """The request is over. Never raises; only the first call counts."""
        if not self._ended:
            self._ended = True
            self._note(handed, taken, outcome)

    def _note(self, handed: int, taken: int, outcome: str | None) -> None:
        try:
            with transaction.atomic():
                self._write(handed, taken, outcome)
        except (DatabaseError, InterfaceError) as error:
            # The row stays, and is settled as idle by what it knows.
            log.error("a download of file %s could not be noted: %s", self._row.file_id, error)
        else:
            self._noted = handed

    def _write(self, handed: int, taken: int, outcome: str | None) -> None:
        row = _locked.first(row=self._row.pk)
        if row is None:
            # Settled as idle while the client stood still: only what came since is told again.
            if outcome is None or handed == self._noted:
                return
            row = self._alone()
        start = self._part.start
        row.covered = intervals.merged([*row.covered, [start + self._noted, start + taken]])
        row.bytes += handed - self._noted
        row.seen_at = clock.now()
        if outcome is not None:
            row.running = max(row.running - 1, 0)
        _after(row, outcome)

    def _alone(self) -> DownloadSession:
        row = self._row
        row.pk, row.slot, row.begun_at = None, None, clock.now()
        row.requests, row.running, row.bytes, row.covered = 1, 1, 0, []
        row.settled = False
        return row


def _after(row: DownloadSession, outcome: str | None) -> None:
    """Write the row, or settle it when there is nothing to wait for."""
    if row.settled:
        # Its event has been written, and is that of all of its requests.
        if row.running == 0 and row.slot is None:
            row.delete()
        else:
            _keep(row)
    elif outcome in {FAILED, REVOKED}:
        row.slot = None
        _settle(row, outcome, keep=row.running > 0)
    elif row.running == 0 and (row.is_complete or row.slot is None):
        _settle(row, keep=row.slot is not None)
    else:
        _keep(row)


def _settle(row: DownloadSession, outcome: str | None = None, *, keep: bool = False) -> None:
    """Turn the row into its event, in one transaction.

    With `keep` the row stays, for requests that are still running or may yet come for a part.
    """
    event, details = _told(row, outcome)
    if keep:
        row.settled, row.bytes, row.covered = True, 0, []
        _keep(row)
    elif row.pk is not None:
        row.delete()
    around = context.Context(
        actor_id=row.actor_id or None,
        actor_name=row.actor_name,
        link_id=row.link_id,
        address=row.address,
        user_agent=row.user_agent,
        request_id=row.request_id,
        token_id=row.token_id,
        token_name=row.token_name,
    )
    with context.active(around):
        audit.record(event, file_id=row.file_id, grant_id=row.grant_id, **details)
        if details["outcome"] == COMPLETE:
            _tell_owner(row)


def _tell_owner(row: DownloadSession) -> None:
    """Of a download by somebody else, where the owner wishes to hear of them."""
    owner = FileRecord.objects.filter(pk=row.file_id).exclude(owner=row.actor_id).values("owner")
    if wishing := telling.wishing(Kind.FILE_DOWNLOADED, owner):
        notify(Kind.FILE_DOWNLOADED, wishing, file_id=row.file_id, actor_id=row.actor_id)


def _told(row: DownloadSession, outcome: str | None) -> tuple[Event, dict[str, Any]]:
    """The event, and its details."""
    ended = outcome or (COMPLETE if row.is_complete else ABORTED)
    is_all = intervals.length(row.covered) == row.size
    details = {
        "outcome": ended,
        "bytes": row.bytes,
        "size": row.size,
        **({"version": row.version} if row.version else {}),
        "ranges": row.requests,
        "ms": round((row.seen_at - row.begun_at).total_seconds() * 1000),
        # Which bytes, where they are not all of them.
        "sent": None if is_all else intervals.described(row.covered),
    }
    return Event.DOWNLOAD_FAILED if ended == FAILED else Event.FILE_DOWNLOADED, details


def _is_idle(row: DownloadSession, now: datetime) -> bool:
    idle: bool = row.seen_at < now - settings.DOWNLOAD_IDLE
    return idle


def idle(*, now: datetime | None = None) -> int:
    """How many downloads `settle_idle` would turn into their events."""
    before = (now or clock.now()) - settings.DOWNLOAD_IDLE
    return DownloadSession.objects.filter(seen_at__lt=before, settled=False).count()


@statement(before=MOMENT)
def _not_heard_of(before: Any, at_most: int | None) -> QuerySet[DownloadSession, int]:
    found = DownloadSession.objects.filter(seen_at__lt=before).order_by("seen_at")
    return found.values_list("pk", flat=True)[:at_most]


class _Looked:
    """When this process last looked for idle downloads, by the monotonic clock."""

    at: float = -LOOKED_EVERY


def _settle_now_and_then() -> None:
    now = time.monotonic()
    if now - _Looked.at >= LOOKED_EVERY:
        _Looked.at = now
        settle_idle(at_most=AT_ONCE)


def settle_idle(*, now: datetime | None = None, at_most: int | None = None) -> int:
    """Turn downloads that nothing was heard of for long into their events; how many there were.

    Safe beside running requests, and beside another of its kind.
    """
    before = (now or clock.now()) - settings.DOWNLOAD_IDLE
    settled = 0
    for pk in _not_heard_of(before=before, at_most=at_most):
        with transaction.atomic():
            row = _locked.first(row=pk)
            if row is None or row.seen_at >= before:
                continue
            if row.settled:
                row.delete()
                continue
            _settle(row)
        settled += 1
    return settled
