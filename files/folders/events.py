"""How an event names what it is about: a file in its own column, a folder among the details."""

from __future__ import annotations

from typing import Any

import audit
from accounts.models import User
from audit import Event
from files.models import Folder, Item


def note(event: Event, item: Item, *, actor: User, **details: Any) -> None:
    """Record what happened to a file or a folder. For the transaction that does it."""
    if isinstance(item, Folder):
        audit.record(event, actor=actor, folder_id=str(item.pk), **details)
    else:
        audit.record(event, actor=actor, file_id=item.pk, **details)
