"""What happened: the append-only log of events, its chain and its check.

    audit.record(audit.Event.GRANT_REVOKED, file_id=file.id, grant_id=grant.id)

Call it inside the transaction that does the thing, as its last step: then the log and the
database tell one story, whichever way the transaction ends. Nothing secret may ever be passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from audit.commands import command, note_run
from audit.context import Actor, Captured, capture
from audit.events import Event

if TYPE_CHECKING:
    from audit.chain import Detail
    from audit.models import AuditEvent

__all__ = ["Captured", "Event", "capture", "command", "note_run", "record"]


def record(
    event: Event,
    *,
    actor: Actor | None = None,
    file_id: UUID | None = None,
    grant_id: int | None = None,
    **data: Detail,
) -> AuditEvent:
    """Append one event to the log: `audit.chain.record`, importable before the apps are ready."""
    from audit import chain

    return chain.record(event, actor=actor, file_id=file_id, grant_id=grant_id, **data)
