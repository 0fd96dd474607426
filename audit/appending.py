"""One event as a row: written, and read back, as quickly as can be.

Whoever appends has the turn, and all others wait: what Django needs to write a statement anew each
time is as long as all the rest. So the statements are text, and go to PostgreSQL in one go. Must
never decide what an event says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from audit.models import AuditEvent

COLUMNS = tuple(field.attname for field in AuditEvent._meta.concrete_fields)
_NAMES = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO audit_auditevent ({_NAMES}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608
_BACK = f"SELECT {_NAMES} FROM audit_auditevent WHERE id = %s"  # noqa: S608


def append(cursor: CursorWrapper, row: AuditEvent) -> dict[str, Any] | None:
    """Write an event, and what the database has of it then, by column; None for nothing."""
    fields = AuditEvent._meta.concrete_fields
    values = [f.get_db_prep_save(getattr(row, f.attname), connection) for f in fields]
    if connection.vendor == "postgresql":
        cursor.execute(f"{_INSERT}; {_BACK}", [*values, row.id])
        while cursor.nextset():
            pass
    else:
        cursor.execute(_INSERT, values)
        cursor.execute(_BACK, [row.id])
    there = cursor.fetchone()
    if there is None:
        return None
    read = zip(COLUMNS, there, _converters(connection.vendor), strict=True)
    return {name: _converted(value, steps) for name, value, steps in read}


Converter = Callable[[Any, Any, Any], Any]


@cache
def _converters(vendor: str) -> tuple[tuple[tuple[Converter, Any], ...], ...]:
    """For each column what makes a value of what the database says, as Django does."""
    found = []
    for field in AuditEvent._meta.concrete_fields:
        column = field.get_col(AuditEvent._meta.db_table)
        steps = (*connection.ops.get_db_converters(column), *field.get_db_converters(connection))
        found.append(tuple((step, column) for step in steps))
    return tuple(found)


def _converted(value: Any, steps: tuple[tuple[Converter, Any], ...]) -> Any:
    for step, column in steps:
        value = step(value, column, connection)
    return value
