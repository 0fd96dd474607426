"""The database's clock: what processes on several hosts compare must be told by one of them.

Leases, claims, and all else that a process does to what another one may still be working on. A host
whose clock is wrong then takes nothing over that is alive, and holds on to nothing that is not its
own. What people set to days and minutes (grants, sessions, offers) goes by the web host's clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, functions
from django.db.models.sql.compiler import SQLCompiler


class Now(functions.Now):
    """The database's own moment, for a statement that compares with it or writes it.

    Django's is of milliseconds in SQLite, and so would never equal what Python writes there: a
    compare-and-set on a moment that was read would find nothing.
    """

    output_field: ClassVar[DateTimeField[Any, Any]] = DateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """As text in the form of `str(datetime)`: six digits, and none where all are zero."""
        return self.as_sql(
            compiler,
            connection,
            template="REPLACE(STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'now') || '000',"
            " '.000000', '')",
            **extra_context,
        )


def now() -> datetime:
    """What the database's clock says. Raises DatabaseError."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            [moment] = cursor.fetchone()
            return moment  # type: ignore[no-any-return]
        cursor.execute("SELECT STRFTIME('%Y-%m-%d %H:%M:%f+00:00', 'now')")
        [text] = cursor.fetchone()
        return datetime.fromisoformat(text)
