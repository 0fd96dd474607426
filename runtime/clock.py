"""The database's clock: what processes on several hosts compare must be told by one of them.

Leases, claims, and all else that a process does to what another one may still be working on. A host
whose clock is wrong then takes nothing over that is alive, and holds on to nothing that is not its
own. What people set to days and minutes (grants, sessions, offers) goes by the web host's clock.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, functions
from django.db.models.sql.compiler import SQLCompiler


class Now(functions.Now):
    """The database's own moment, for a statement that writes it or compares with it.

    SQLite runs in this process and has its host's clock, so the host is asked: SQLite itself tells
    milliseconds, and would never write a moment as Python does, to the last digit of which a
    compare-and-set must find it.
    """

    output_field: ClassVar[DateTimeField[Any, Any]] = DateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """The moment as a parameter."""
        return "%s", (connection.ops.adapt_datetimefield_value(_host()) or "",)


def now() -> datetime:
    """What the database's clock says. Raises DatabaseError."""
    if connection.vendor != "postgresql":
        return _host()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [moment] = cursor.fetchone()
    return moment  # type: ignore[no-any-return]


def _host() -> datetime:
    return datetime.now(UTC)
