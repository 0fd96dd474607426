"""Reading very many rows in order, in little memory, whatever stands before the database.

A cursor that lives on the server is one query, and takes a session of one's own; behind PgBouncer
there is none, and the whole answer would lie in memory. Then, and where nobody may hold a
connection between two rows, the rows come in pages: each begins where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.db import connection
from django.db.models import QuerySet

R = TypeVar("R")


def in_order(
    rows: QuerySet[Any, R], *, size: int, key: Callable[[R], Any], holding: bool = True
) -> Iterator[R]:
    """All rows by their primary key, which `key` finds in one; `size` of them in memory.

    Without `holding`, nothing is held from one page to the next.
    """
    rows = rows.order_by("pk")
    if holding and not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        yield from rows.iterator(chunk_size=size)
        return
    page = list(rows[:size])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=key(page[-1]))[:size])
