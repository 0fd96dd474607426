"""Every event once more, after its transaction has committed: as a line of the log, as a signal.

The line has the event's number and MAC, so whoever collects the log elsewhere has anchors that the
database's owner cannot reach (`verify_audit --anchors-from`). Nothing here may fail an event.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction
from django.dispatch import Signal

if TYPE_CHECKING:
    from audit.models import AuditEvent

log = logging.getLogger("audit")

recorded = Signal()
"""Sent with `event` for each event that stands."""


def announce(event: AuditEvent) -> None:
    """Tell of the event when, and only if, the transaction that it belongs to commits."""
    transaction.on_commit(partial(_tell, event), robust=True)


def _tell(event: AuditEvent) -> None:
    fields = {
        "number": event.id,
        "mac": event.mac,
        "at": event.at.isoformat(),
        "event": event.event,
        "actor_id": event.actor_id,
        "actor": event.actor_name,
        "address": event.address,
        "request_id": event.request_id,
        "file": event.file_id and str(event.file_id),
        "grant": event.grant_id,
        "details": event.data,
    }
    log.info("%s:%s %s", event.id, event.mac, event.event, extra={"fields": fields})
    recorded.send_robust(sender=type(event), event=event)
