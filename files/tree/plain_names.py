"""Filling in what a search compares, where code of the release before has written a name.

The migration does it for all there are, a sweep for what processes of that release have written
since: triggers leave it empty where a name is more than ASCII. Safe to repeat, and to be killed:
each batch is one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction

from files.models import FileRecord, Folder
from files.records.names import plain_name

AT_ONCE: Final = 2_000
"""Rows that one transaction fills."""


def fill(tables: Sequence[Any] = (FileRecord, Folder), *, using: str = "default") -> int:
    """Fill in every name that is missing; how many there were. `tables` are a migration's, too."""
    done = 0
    for table in tables:
        key = "place" if table._meta.model_name == "filerecord" else "id"
        last: Any = None
        while True:
            with transaction.atomic(using=using):
                filled, last = _fill_some(table.objects.using(using), key, last)
            done += filled
            if filled < AT_ONCE:
                break
    return done


def _fill_some(rows: Any, key: str, after: Any) -> tuple[int, Any]:
    """Fill in one batch, of what comes after that key; how many, and the last of them."""
    missing = rows.filter(plain_name__isnull=True).order_by(key)
    if after is not None:
        missing = missing.filter(**{f"{key}__gt": after})
    found = list(missing.select_for_update(no_key=True).only("pk", "name", key)[:AT_ONCE])
    for row in found:
        row.plain_name = plain_name(row.name)
    rows.bulk_update(found, ["plain_name"], batch_size=200)
    return len(found), getattr(found[-1], key) if found else after
