"""The audit log as a file for somebody else's program: CSV or JSON, in constant memory.

An export is an event itself. Every text of a CSV goes through `audit.spreadsheet`: strangers wrote
user agents and user names, and a spreadsheet would run a formula.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from audit import chain, spreadsheet
from audit.context import Actor
from audit.events import Event
from audit.models import AuditEvent
from audit.reading import in_order

COLUMNS = (*chain.FIELDS, "mac")
_AT_ONCE = 1000  # Rows in memory.


def _csv(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    yield spreadsheet.line(COLUMNS)
    for row in rows:
        yield spreadsheet.line(row)


def _json(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    separator = "[\n"
    for row in rows:
        entry = dict(zip(COLUMNS, row, strict=True))
        entry["at"] = entry["at"].isoformat()
        yield separator + json.dumps(entry, default=str)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


FORMATS: dict[str, tuple[str, Callable[[Iterator[tuple[Any, ...]]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "json": ("application/json", _json),
}


def answer(
    events: QuerySet[AuditEvent], form: str, *, actor: Actor, chosen_by: str
) -> StreamingHttpResponse:
    """These events, oldest first, as a download. `chosen_by` says how they were, for the log.

    Raises KeyError for a format that is none of `FORMATS`.
    """
    content_type, write = FORMATS[form]
    # Up to here: the export does not tell of itself.
    events = events.filter(id__lte=chain.head().number).order_by("id")
    chain.record(Event.AUDIT_EXPORTED, actor=actor, format=form, chosen_by=chosen_by)
    # A page at a time: whoever fetches it may take long, and holds no connection meanwhile.
    told = events.values_list(*COLUMNS)
    rows = in_order(told, size=_AT_ONCE, key=itemgetter(0), holding=False)
    response = StreamingHttpResponse(write(rows), content_type=content_type)
    day = timezone.localdate().isoformat()
    response["Content-Disposition"] = f'attachment; filename="audit-{day}.{form}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
