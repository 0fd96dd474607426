"""Whether every row, and every number to go on from, is the same on both sides of a move.

Must never take a count for the rows.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models

from files.recovery import database_closing
from files.recovery.database_closing import MoveFailed
from files.recovery.other_database import TARGET
from files.recovery.row_copying import BATCH, Progress, columns_of, last_number, numbered


def digest(model: type[models.Model], using: str, progress: Progress = lambda rows: None) -> str:
    """The number of rows, and a sum over the SHA-256 of each, whatever their order."""
    total, count = 0, 0
    rows = model._base_manager.using(using).order_by().values_list(*columns_of(model))
    for row in rows.iterator(chunk_size=BATCH):
        text = "\x1f".join(map(_canonical, row)).encode("utf-8", "surrogatepass")
        total += int.from_bytes(hashlib.sha256(text).digest())
        count += 1
        if count % BATCH == 0:
            progress(BATCH)
    progress(count % BATCH)
    return f"{count}:{total % (1 << 256):064x}"


def _canonical(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return f"{type(value).__name__}:{value}"


def compare(progress: Progress) -> None:
    """Raises MoveFailed for the tables whose rows are not the same on both sides."""
    differing = []
    for model in database_closing.moved_models():
        here = digest(model, DEFAULT_DB_ALIAS, progress)
        if here != digest(model, TARGET):
            differing.append(model._meta.db_table)
    differing += [
        f"the numbers of {model._meta.db_table}"
        for model, column in numbered()
        if last_number(model, column, TARGET) != last_number(model, column, DEFAULT_DB_ALIAS)
    ]
    if differing:
        raise MoveFailed(f"Not the same at the target: {', '.join(differing)}. Nothing was moved.")
