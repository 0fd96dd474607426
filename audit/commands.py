"""Runs of management commands: each is an event when it starts and when it ends, however it ends.

A command that changes something or reads secrets works inside `audit.command`. What the last run of
each came to is kept besides, for the metrics and for a person who asks when the last sweep was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from audit import context
from audit.events import Event
from runtime import database_state

if TYPE_CHECKING:
    from audit.chain import Detail

log = logging.getLogger(__name__)

MAX_FIGURES = 10
"""Figures of one run; an event has room for a few more details."""


class Run:
    """One run on its way. `tell` adds figures to the event of its end: numbers, no names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: dict[str, Any] = {}
        self._begun = time.monotonic()

    def tell(self, **figures: Detail) -> None:
        """Say what the run came to. Raises ValueError for too many figures."""
        self.figures |= figures
        if len(self.figures) > MAX_FIGURES:
            raise ValueError(f"a run has at most {MAX_FIGURES} figures")

    def start(self, **details: Any) -> None:
        """Record that it starts. Raises DatabaseError or NotInService, and then it must not."""
        from audit.chain import record
        from audit.models import LastRun

        database_state.refuse()
        with transaction.atomic():
            LastRun.objects.update_or_create(
                name=self.name, defaults={"started_at": timezone.now(), "outcome": "running"}
            )
            record(Event.COMMAND_RUN, phase="started", **details)

    def end(self, error: BaseException | None) -> None:
        """Record how it ended. Raises DatabaseError."""
        from audit.chain import record
        from audit.models import LastRun

        now, outcome = timezone.now(), _outcome(error)
        seconds = round(time.monotonic() - self._begun)
        if error is not None:
            self.figures["error"] = type(error).__name__
        ended = {"ended_at": now, "outcome": outcome, "seconds": seconds, "figures": self.figures}
        if outcome == "complete":
            ended["succeeded_at"] = now
        with transaction.atomic():
            LastRun.objects.filter(pk=self.name).update(**ended)
            record(
                Event.COMMAND_RUN, phase="ended", outcome=outcome, seconds=seconds, **self.figures
            )


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "complete"
    return "stopped" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed"


@contextmanager
def command(name: str, **details: Any) -> Iterator[Run]:
    """The audit context of a management command, and the events of its start and its end.

    Also as a decorator: `@audit.command("sweep")`. `details` are those of its start. A run that
    cannot be recorded does not begin; one that was killed has no end in the log.
    """
    with context.active(_context(name)):
        run = Run(name)
        run.start(**details)
        try:
            yield run
        except BaseException as error:
            try:
                run.end(error)
            except (DatabaseError, InterfaceError) as trouble:
                # What went wrong first is what the operator must hear of.
                log.error("the end of %s could not be recorded: %s", name, trouble)
            raise
        run.end(None)


def note_run(name: str, outcome: str, **figures: Detail) -> None:
    """Keep what a check came to that changes nothing. No event: it must not add to what it reads.

    Raises DatabaseError.
    """
    from audit.models import LastRun

    now = timezone.now()
    ended = {"started_at": now, "ended_at": now, "outcome": outcome, "figures": figures}
    if outcome == "complete":
        ended["succeeded_at"] = now
    LastRun.objects.update_or_create(name=name, defaults=ended)


def _context(name: str) -> context.Context:
    return context.Context(actor_name=f"command:{name}")
