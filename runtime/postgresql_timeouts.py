"""A connection to PostgreSQL that does not wait for ever for a server that has stopped answering.

The server's own time-outs end a statement that takes long. They are no help where the server hangs,
or the network in between swallows what is sent: then the client must be the one to give up.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from django.conf import settings
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

from runtime.connections import patience

R = TypeVar("R")


class PatientConnection(psycopg.Connection[Any]):
    """Gives up after `DATABASE_PATIENCE` seconds, or `patience` where they are fewer."""

    def wait(self, gen: PQGen[R], interval: float = 0.1, timeout: float | None = None) -> R:
        """As psycopg's. Raises OperationalError when time is over, and is closed then."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        limit = min(settings.DATABASE_PATIENCE, patience.get() or settings.DATABASE_PATIENCE)
        try:
            return super().wait(gen, interval, limit)
        except _WaitTimeout:
            # What the server would answer now is no answer to anything.
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the database did not answer within {limit:g} seconds"
            ) from None
