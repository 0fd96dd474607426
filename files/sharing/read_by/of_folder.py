"""Who has read how many of the files in a folder and below, and which of them one person has.

Must never count a file that who can read the folder cannot see with it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet

from accounts.models import User
from audit.models import AuditEvent
from files.access.rule import covered_by
from files.models import DownloadSession, Folder
from files.records.ordering import LAST
from files.sharing import effective_access
from files.sharing.read_by import counting
from files.sharing.read_by.answers import FileLine, FilesRead, Outside, Read, Readers, State
from files.sharing.read_by.counting import MOST_FORMER

_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


def of_folder(folder: Folder, *, asker: User, after: str = "", length: int) -> Readers:
    """Who has read how many of the files in a folder and below, whichever version of each.

    Ten queries at most. One of them goes through the log of all files in it; of who has read
    something there are few beside these.
    """
    files = covered_by(folder)
    inside = files.order_by().values("pk")
    under_way = counting.under_way().filter(file_id__in=inside)
    reads, outside = _read_in_folder(counting.reads().filter(file_id__in=inside), under_way)
    people = effective_access.readers(folder).annotate(
        rank=counting.rank((1, Q(pk__in=list(reads))))
    )
    readers = counting.page_of(people, folder, asker, after, length, read_from=1)
    lines = [replace(line, read=reads.get(line.user.pk)) for line in readers.lines]
    return replace(readers, lines=lines, files=files.count(), outside=[] if after else outside)


def _read_in_folder(
    events: QuerySet[AuditEvent], under_way: QuerySet[DownloadSession]
) -> tuple[dict[int, Read], list[Outside]]:
    """What each person has read, and what was sent by each link, the last first."""
    rows: Any = events.values("actor_id", "data__link_id").annotate(
        first=Min("at"),
        last=Max("at"),
        times=Count("id"),
        files=Count("file_id", distinct=True),
    )
    found: dict[int, Read] = {}
    outside: list[Outside] = []
    for row in rows:
        read = Read(row["first"], row["last"], row["times"], row["files"])
        if row["actor_id"] is not None:
            found[row["actor_id"]] = read
        elif row["data__link_id"] is not None:
            outside.append(Outside(int(row["data__link_id"]), read))
    outside.sort(key=lambda one: one.read.last, reverse=True)
    return _with_running(found, events, under_way), outside[:MOST_FORMER]


def _with_running(
    found: dict[int, Read], events: QuerySet[AuditEvent], under_way: QuerySet[DownloadSession]
) -> dict[int, Read]:
    """The same with what people are being sent now, which no event tells yet."""
    now = list(under_way.filter(actor_id__gt=0))
    pairs = {(row.actor_id, row.file_id) for row in now}
    told = events.filter(file_id__in={file_id for _, file_id in pairs}) if pairs else events.none()
    new: defaultdict[int, int] = defaultdict(int)
    for actor_id, _file_id in pairs - set(told.values_list("actor_id", "file_id").distinct()):
        new[actor_id] += 1
    for row in now:
        before = found.get(row.actor_id)
        found[row.actor_id] = counting.joined(before, row.begun_at, row.seen_at, State.PART)
        if before is None:
            found[row.actor_id] = replace(found[row.actor_id], files=0)
    for actor_id, count in new.items():
        found[actor_id] = replace(found[actor_id], files=found[actor_id].files + count)
    return found


def person_in(folder: Folder, number: int, *, asker: User) -> User | None:
    """Who has that number, where they can read the folder and are named to who asks."""
    inside = covered_by(folder).order_by().values("pk")
    theirs = Q(Exists(counting.reads().filter(actor_id=OuterRef("pk"), file_id__in=inside))) | Q(
        Exists(counting.under_way().filter(actor_id=OuterRef("pk"), file_id__in=inside))
    )
    people = effective_access.readers(folder).annotate(rank=counting.rank((1, theirs)))
    found: User | None = counting.named(people, folder, asker).filter(pk=number).first()
    return found


def files_of(folder: Folder, person: User, *, after: str = "", length: int) -> FilesRead:
    """The files in a folder and below, those that the person has not read first, newest first.

    Three queries.
    """
    events = counting.reads().filter(actor_id=person.pk)
    under_way = counting.under_way().filter(actor_id=person.pk)
    this = OuterRef("pk")
    has_read = Exists(events.filter(file_id=this)) | Exists(under_way.filter(file_id=this))
    files = covered_by(folder).annotate(rank=counting.rank((1, Q(has_read))))
    begin = counting.position_of(after)
    if begin is not None and _NUMBER.fullmatch(begin[1]):
        rank, place = begin
        files = files.filter(Q(rank__gt=rank) | Q(rank=rank, place__lt=min(int(place), LAST)))
    found: list[Any] = list(files.order_by("rank", "-place")[: length + 1])
    shown: list[Any] = found[:length]
    ids = [record.pk for record in shown if record.rank]
    rows: Any = events.filter(file_id__in=ids).values("file_id")
    reads: dict[UUID, Read] = {
        row["file_id"]: Read(row["first"], row["last"], row["times"])
        for row in rows.annotate(first=Min("at"), last=Max("at"), times=Count("id"))
    }
    for row in under_way.filter(file_id__in=ids):
        before = reads.get(row.file_id)
        reads[row.file_id] = counting.joined(before, row.begun_at, row.seen_at, State.PART)
    last = shown[-1] if len(found) > length else None
    return FilesRead(
        person,
        [FileLine(record, reads.get(record.pk)) for record in shown],
        f"{last.rank}.{last.place}" if last else "",
    )
