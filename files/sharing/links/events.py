"""The events of a link, which all say alike which link it is.

Never has its URL or its password.
"""

from __future__ import annotations

from typing import Any

import audit
from accounts.models import User
from audit import Event
from files.models import Link
from files.vault.counting import told


def record(event: Event, link: Link, *, actor: User | None = None, **details: Any) -> None:
    audit.record(event, actor=actor, **{**told(link), **details})
