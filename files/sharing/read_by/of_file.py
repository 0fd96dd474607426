"""Who has read a file, and how far: its present version, a part of it, an earlier one, or nothing.

Must never decide who can read it: that is asked of the rule, by `effective_access`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from accounts.models import User
from audit.models import AuditEvent
from files.models import DownloadSession, FileRecord
from files.sharing import effective_access
from files.sharing.read_by import counting
from files.sharing.read_by.answers import Former, Outside, Read, Readers, State
from files.sharing.read_by.counting import MOST_FORMER


def of_file(record: FileRecord, *, asker: User, after: str = "", length: int) -> Readers:
    """Who has read a file, and who has not. Sixteen queries at most."""
    of_it = counting.reads().filter(file_id=record.pk)
    present = _of_present_version(record)
    of_this = of_it.filter(present)
    under_way = counting.under_way().filter(file_id=record.pk)
    people = effective_access.readers(record).annotate(
        rank=counting.rank(
            (
                2,
                Q(pk__in=counting.actors(of_this))
                | Q(pk__in=counting.actors(under_way.filter(version=None))),
            ),
            (1, Q(pk__in=counting.actors(of_it)) | Q(pk__in=counting.actors(under_way))),
        )
    )
    readers = counting.page_of(people, record, asker, after, length, read_from=2)
    ids = [line.user.pk for line in readers.lines]
    reads = _read_of_file(of_it.filter(actor_id__in=ids), under_way, ids, present)
    lines = [
        replace(
            line,
            read=reads.get(line.user.pk),
            has_uploaded=record.uploaded_by_id == line.user.pk,
        )
        for line in readers.lines
    ]
    if after:
        return replace(readers, lines=lines)
    former, outside = _former(record, of_it, present), _outside(of_it, present)
    return replace(readers, lines=lines, former=former, outside=outside)


def _of_present_version(record: FileRecord) -> Q:
    """Events of that version: they name every other one, and came since it took its place."""
    kept = record.versions.aggregate(last=Max("superseded_at"))["last"]
    moments = [one for one in (record.uploaded_at, kept) if one is not None]
    present = Q(data__version__isnull=True)
    return present & Q(at__gte=max(moments)) if moments else present


def _counted(present: Q) -> dict[str, Any]:
    """When and how often it was read, how often what is there now, and how often all of that."""
    return {
        "first": Min("at"),
        "last": Max("at"),
        "times": Count("id"),
        "present": Count("id", filter=present),
        "whole": Count("id", filter=present & Q(data__outcome="complete")),
    }


def _read_of_file(
    events: QuerySet[AuditEvent],
    under_way: QuerySet[DownloadSession],
    ids: Collection[int],
    present: Q,
) -> dict[int, Read]:
    rows: Any = events.values("actor_id").annotate(**_counted(present))
    found = {
        row["actor_id"]: Read(
            row["first"],
            row["last"],
            row["times"],
            state=_state(row),
        )
        for row in rows
    }
    for row in under_way.filter(actor_id__in=ids):
        now = State.PART if row.version is None else State.EARLIER
        found[row.actor_id] = counting.joined(
            found.get(row.actor_id), row.begun_at, row.seen_at, now
        )
    return found


def _former(record: FileRecord, events: QuerySet[AuditEvent], present: Q) -> list[Former]:
    """Who has read it and can no longer, the last first. Their names are in its history, too."""
    now = effective_access.readers(record).values("pk")
    gone = events.filter(actor_id__isnull=False).exclude(actor_id__in=now)
    last = gone.values("actor_id").annotate(last=Max("at"), name=Max("actor_name"))
    rows: list[Any] = list(last.order_by("-last", "actor_id")[:MOST_FORMER])
    ids = [row["actor_id"] for row in rows]
    users = User.objects.in_bulk(ids)
    none = DownloadSession.objects.none()
    reads = _read_of_file(gone.filter(actor_id__in=ids), none, ids, present)
    return [Former(row["name"], users.get(row["actor_id"]), reads[row["actor_id"]]) for row in rows]


def _outside(events: QuerySet[AuditEvent], present: Q) -> list[Outside]:
    """By which links people outside were sent it, the last first. Who they are, nobody knows."""
    by_link = events.filter(actor_id=None, data__link_id__isnull=False)
    rows: Any = by_link.values("data__link_id").annotate(**_counted(present))
    return [
        Outside(
            int(row["data__link_id"]),
            Read(row["first"], row["last"], row["times"], state=_state(row)),
        )
        for row in rows.order_by("-last")[:MOST_FORMER]
    ]


def _state(row: Mapping[str, int]) -> State:
    return State.WHOLE if row["whole"] else State.PART if row["present"] else State.EARLIER
