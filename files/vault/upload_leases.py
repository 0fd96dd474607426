"""One writer at a time: a lease on an upload's row says who it is.

Every change of the row is a compare-and-set on it, so that a writer which lost its lease can spoil
nothing. Must never give a lease away while its writer may still be alive.
"""

from __future__ import annotations

import time
from datetime import timedelta

from files.errors import (
    UploadBusy,
    UploadLost,
)
from files.models import StoredObject, UploadSession
from runtime import clock
from runtime.clock import Now
from runtime.connections import release
from runtime.leases import is_dead, new_lease

State = StoredObject.State

LEASE = timedelta(seconds=30)
"""A writer that was not heard of for this long has lost its lease."""

PATIENCE = 3.0
"""Seconds to wait for a writer that is about to end: its client has just reconnected."""

_POLL = 0.05


def settled(session: UploadSession) -> UploadSession:
    """The session once nobody writes to it, or as it is after `PATIENCE`. Raises UploadLost."""
    deadline = time.monotonic() + PATIENCE
    while _held(session.object) and time.monotonic() < deadline:
        release()
        time.sleep(_POLL)
        found = UploadSession.objects.select_related("object").filter(pk=session.pk).first()
        if found is None:
            raise UploadLost
        session = found
    return session


def acquire(session: UploadSession) -> StoredObject:
    """Take the lease, waiting a little for a writer that is about to end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        row = _take(session)
        if row is not None:
            return row
        if time.monotonic() >= deadline:
            raise UploadBusy
        release()
        time.sleep(_POLL)


def _take(session: UploadSession) -> StoredObject | None:
    row = StoredObject.objects.filter(pk=session.object_id, state=State.WRITING).first()
    if row is None:
        raise UploadLost
    if _held(row):
        return None
    lease = new_lease()
    free = StoredObject.objects.filter(pk=row.pk, state=State.WRITING, lease=row.lease)
    if not free.update(lease=lease, lease_seen_at=Now()):
        return None
    related = StoredObject.objects.select_related(
        "session__owner",
        "session__folder__owner",
        "session__sender__request__folder__owner",
        "session__sender__request__maker",
        "charged_to",
    )
    return related.get(pk=row.pk)


def _held(row: StoredObject) -> bool:
    """Whether a writer that may still be alive has the lease."""
    if not row.lease or row.lease_seen_at is None or is_dead(row.lease):
        return False
    return row.lease_seen_at + LEASE >= clock.now()
