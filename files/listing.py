"""Pages of a list of files, newest first, by keyset: the last row of a page names the next.

Costs the same on the first page and on the thousandth, and never counts.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from files.access import FileRecordQuerySet
from files.models import FileRecord
from files.names import fold_name

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """Some files, and the cursor of the page after them; empty on the last."""

    records: list[FileRecord]
    next_cursor: str


def search(files: FileRecordQuerySet, query: str) -> FileRecordQuerySet:
    """Files whose name contains every word of `query`, whatever the case."""
    # No name holds a NUL, and PostgreSQL refuses to be asked for one.
    for word in fold_name(query.replace("\0", "")).split():
        files = files.filter(folded_name__contains=word)
    return files


def page_after(files: FileRecordQuerySet, cursor: str, *, length: int) -> Page:
    """The page that begins after `cursor`; the first one where the cursor means nothing."""
    after = _decode(cursor)
    if after is not None:
        created_at, record_id = after
        files = files.filter(
            Q(created_at__lt=created_at) | Q(created_at=created_at, id__lt=record_id)
        )
    found = list(
        files.order_by("-created_at", "-id").select_related("owner", "current")[: length + 1]
    )
    more = len(found) > length
    records = found[:length]
    return Page(records, _encode(records[-1]) if more else "")


def _encode(record: FileRecord) -> str:
    # Whole microseconds: a float would round, and skip a file or show it twice.
    micros = (record.created_at - _EPOCH) // timedelta(microseconds=1)
    raw = micros.to_bytes(8, "big", signed=True) + record.id.bytes
    return base64.urlsafe_b64encode(raw).decode()


def _decode(cursor: str) -> tuple[datetime, uuid.UUID] | None:
    try:
        raw = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        micros = int.from_bytes(raw[:8], "big", signed=True)
        return _EPOCH + timedelta(microseconds=micros), uuid.UUID(bytes=raw[8:])
    except (binascii.Error, ValueError, OverflowError):
        return None
