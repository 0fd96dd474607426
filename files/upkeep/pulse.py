"""Whether the database takes writes: one row is written for no other reason.

That it answers says little: it may be read-only or full, or somebody may hold what every writer
waits for. It is found out as a writer would, in turn with all others, and by no shorter way.
"""

from __future__ import annotations

from audit import chain
from files.models import Pulse
from runtime.clock import Now
from runtime.connections import hurried

PATIENCE = 3.0
"""Seconds to wait for the turn to write."""


def check() -> None:
    """Write, and commit. Raises django.db.Error where nothing can be written."""
    with hurried(PATIENCE):
        chain.wait_for_turn()
        if not Pulse.objects.filter(pk=1).update(at=Now()):
            Pulse.objects.create(pk=1)
