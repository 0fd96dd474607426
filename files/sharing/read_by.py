"""Who has read a file, or what is in a folder, and who has not: the audit log, counted by person.

For the owner and who manages it. To have read something is to have been sent bytes of it: a
download, whole or in part, and what the viewer fetches, which is the same door. What is under way
counts as well; so it is told before its event is written.

Everybody who can read it now stands in the list, those who have not read it first, page by page
and in a fixed number of queries. Whom a group alone lets in, and who has read nothing, is named to
those who may look people up by name (`recipients`), and counted for others: to have a file is no
reason to learn who is in a group.
"""

from __future__ import annotations

import enum
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.expressions import RawSQL

import audit
from accounts.models import User
from audit import Event, spreadsheet
from audit.models import AuditEvent
from files.access.permissions import may_share
from files.access.rule import covered_by
from files.models import DownloadSession, FileRecord, Folder, Item
from files.records.ordering import LAST
from files.sharing import effective_access

_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)

AT_ONCE: Final = 500
"""People of an export that are in memory."""

MOST_FORMER: Final = 50
"""Former readers that are named, those who read it last."""


class State(enum.StrEnum):
    """How far somebody has read a file."""

    NOT = "no"
    EARLIER = "earlier"
    """A version that is not the present one, and nothing of that."""
    PART = "part"
    WHOLE = "whole"


@dataclass(frozen=True)
class Read:
    """When and how often somebody was sent bytes."""

    first: datetime
    last: datetime
    times: int = 1
    files: int = 1
    """How many different ones, where it is about a folder."""
    state: State = State.PART


@dataclass(frozen=True)
class Line:
    """A person, and what they have read of it; None where that is nothing."""

    user: User
    read: Read | None
    is_owner: bool = False
    has_uploaded: bool = False
    """Whether the present version is their own: who puts something there need not fetch it."""

    @property
    def state(self) -> State:
        """How far they have read it."""
        return self.read.state if self.read else State.NOT


@dataclass(frozen=True)
class Former:
    """Somebody who has read it and no longer can. `user` is None of who is gone."""

    name: str
    user: User | None
    read: Read


@dataclass(frozen=True)
class Outside:
    """What people outside were sent by one link, whoever they are."""

    link_id: int
    read: Read


@dataclass(frozen=True)
class Readers:
    """A page of those who can read it; `next` goes on as `after`, empty on the last page."""

    lines: Sequence[Line]
    next: str
    people: int
    """Everybody who can read it."""
    have_read: int
    """Of these, who has been sent anything of it: of a file, of its present version."""
    unnamed: int = 0
    """Of these, who has read nothing and is not named to who asks."""
    files: int = 0
    """How many there are in it, where it is a folder."""
    former: Sequence[Former] = field(default_factory=list)
    """On the first page alone."""
    outside: Sequence[Outside] = field(default_factory=list)
    """On the first page alone."""

    @property
    def have_not(self) -> int:
        """How many can read it and have not."""
        return self.people - self.have_read


# --- Of a file ----------------------------------------------------------------------------------


def of_file(record: FileRecord, *, asker: User, after: str = "", length: int) -> Readers:
    """Who has read a file, and who has not. Sixteen queries at most."""
    of_it = _reads().filter(file_id=record.pk)
    present = _of_present_version(record)
    of_this = of_it.filter(present)
    under_way = _under_way().filter(file_id=record.pk)
    people = effective_access.readers(record).annotate(
        rank=_rank(
            (2, Q(pk__in=_actors(of_this)) | Q(pk__in=_actors(under_way.filter(version=None)))),
            (1, Q(pk__in=_actors(of_it)) | Q(pk__in=_actors(under_way))),
        )
    )
    readers = _page(people, record, asker, after, length, read_from=2)
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


def _read_of_file(
    events: QuerySet[AuditEvent],
    under_way: QuerySet[DownloadSession],
    ids: Collection[int],
    present: Q,
) -> dict[int, Read]:
    rows: Any = events.values("actor_id").annotate(
        first=Min("at"),
        last=Max("at"),
        times=Count("id"),
        present=Count("id", filter=present),
        whole=Count("id", filter=present & Q(data__outcome="complete")),
    )
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
        found[row.actor_id] = _joined(found.get(row.actor_id), row.begun_at, row.seen_at, now)
    return found


_FURTHER: Final = list(State)


def _joined(read: Read | None, begun: datetime, seen: datetime, state: State) -> Read:
    """What was read before, and what is being read now."""
    if read is None:
        return Read(begun, seen, state=state)
    return replace(
        read,
        first=min(read.first, begun),
        last=max(read.last, seen),
        times=read.times + 1,
        state=max(read.state, state, key=_FURTHER.index),
    )


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
    rows: Any = by_link.values("data__link_id").annotate(
        first=Min("at"),
        last=Max("at"),
        times=Count("id"),
        present=Count("id", filter=present),
        whole=Count("id", filter=present & Q(data__outcome="complete")),
    )
    return [
        Outside(
            int(row["data__link_id"]),
            Read(row["first"], row["last"], row["times"], state=_state(row)),
        )
        for row in rows.order_by("-last")[:MOST_FORMER]
    ]


def _state(row: Mapping[str, int]) -> State:
    return State.WHOLE if row["whole"] else State.PART if row["present"] else State.EARLIER


# --- Of a folder --------------------------------------------------------------------------------


def of_folder(folder: Folder, *, asker: User, after: str = "", length: int) -> Readers:
    """Who has read how many of the files in a folder and below, whichever version of each.

    Ten queries at most. One of them goes through the log of all files in it; of who has read
    something there are few beside these.
    """
    files = covered_by(folder)
    inside = files.order_by().values("pk")
    under_way = _under_way().filter(file_id__in=inside)
    reads, outside = _read_in_folder(_reads().filter(file_id__in=inside), under_way)
    people = effective_access.readers(folder).annotate(rank=_rank((1, Q(pk__in=list(reads)))))
    readers = _page(people, folder, asker, after, length, read_from=1)
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
        found[row.actor_id] = _joined(before, row.begun_at, row.seen_at, State.PART)
        if before is None:
            found[row.actor_id] = replace(found[row.actor_id], files=0)
    for actor_id, count in new.items():
        found[actor_id] = replace(found[actor_id], files=found[actor_id].files + count)
    return found


@dataclass(frozen=True)
class FileLine:
    """A file in a folder, and when a person has read it; None where they have not."""

    record: FileRecord
    read: Read | None


@dataclass(frozen=True)
class FilesRead:
    """A page of the files in a folder; `next` goes on as `after`, empty on the last page."""

    person: User
    lines: Sequence[FileLine]
    next: str


def person_in(folder: Folder, number: int, *, asker: User) -> User | None:
    """Who has that number, where they can read the folder and are named to who asks."""
    inside = covered_by(folder).order_by().values("pk")
    theirs = Q(Exists(_reads().filter(actor_id=OuterRef("pk"), file_id__in=inside))) | Q(
        Exists(_under_way().filter(actor_id=OuterRef("pk"), file_id__in=inside))
    )
    people = effective_access.readers(folder).annotate(rank=_rank((1, theirs)))
    found: User | None = _named(people, folder, asker).filter(pk=number).first()
    return found


def files_of(folder: Folder, person: User, *, after: str = "", length: int) -> FilesRead:
    """The files in a folder and below, those that the person has not read first, newest first.

    Three queries.
    """
    events = _reads().filter(actor_id=person.pk)
    under_way = _under_way().filter(actor_id=person.pk)
    this = OuterRef("pk")
    has_read = Exists(events.filter(file_id=this)) | Exists(under_way.filter(file_id=this))
    files = covered_by(folder).annotate(rank=_rank((1, Q(has_read))))
    rank, place = _place(after)
    if _NUMBER.fullmatch(place):
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
        reads[row.file_id] = _joined(before, row.begun_at, row.seen_at, State.PART)
    last = shown[-1] if len(found) > length else None
    return FilesRead(
        person,
        [FileLine(record, reads.get(record.pk)) for record in shown],
        f"{last.rank}.{last.place}" if last else "",
    )


# --- As a table ---------------------------------------------------------------------------------


def export(item: Item, *, asker: User) -> Iterator[str]:
    """All who can read it as lines of a CSV, and who has read a file and no longer can.

    An event says that the table was made. Who is not named to who asks is not in it.
    """
    audit.record(
        Event.AUDIT_EXPORTED,
        actor=asker,
        format="csv",
        chosen_by="read-by",
        **({"file_id": item.pk} if isinstance(item, FileRecord) else {"folder_id": str(item.pk)}),
    )
    return _rows(item, asker)


def _rows(item: Item, asker: User) -> Iterator[str]:
    of_file_ = isinstance(item, FileRecord)
    what = ("read",) if of_file_ else ("files_read", "files")
    yield spreadsheet.line(("username", "name", "can_read", *what, "first", "last", "times"))
    after = ""
    while True:
        page = _any(item, asker, after)
        for line in page.lines:
            told = (line.state,) if of_file_ else (line.read.files if line.read else 0, page.files)
            yield spreadsheet.line(
                (line.user.username, line.user.get_full_name(), "yes", *told, *_when(line.read))
            )
        for one in page.former:
            name = one.user.get_full_name() if one.user else ""
            yield spreadsheet.line((one.name, name, "no", one.read.state, *_when(one.read)))
        for link in page.outside:
            told = (link.read.state,) if of_file_ else (link.read.files, page.files)
            name = f"link {link.link_id}"
            yield spreadsheet.line((name, "", "outside", *told, *_when(link.read)))
        if not (after := page.next):
            return


def _any(item: Item, asker: User, after: str) -> Readers:
    if isinstance(item, FileRecord):
        return of_file(item, asker=asker, after=after, length=AT_ONCE)
    return of_folder(item, asker=asker, after=after, length=AT_ONCE)


def _when(read: Read | None) -> tuple[object, ...]:
    return (read.first, read.last, read.times) if read else ("", "", 0)


# --- All of them --------------------------------------------------------------------------------


def _reads() -> QuerySet[AuditEvent]:
    """The events that count. The name stands in the statement itself: SQLite uses an index of some
    rows only where it can see that these are meant."""
    downloads = AuditEvent.objects.filter(event=RawSQL("'file_downloaded'", ()))
    return downloads.filter(Q(data__outcome="complete") | Q(data__bytes__gt=0)).order_by()


def _under_way() -> QuerySet[DownloadSession]:
    """What is being sent, and has no event yet."""
    return DownloadSession.objects.filter(settled=False, bytes__gt=0).order_by()


def _actors(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(actor_id__isnull=False).values("actor_id")


def _rank(*ranks: tuple[int, Q]) -> Case:
    cases = (When(which, then=Value(rank)) for rank, which in ranks)
    return Case(*cases, default=Value(0), output_field=IntegerField())


def _place(after: str) -> tuple[int, str]:
    """Where a page ended: a rank, and what comes after it. What makes no sense is the beginning."""
    rank, _point, rest = after.replace("\0", "").partition(".")
    return (int(rank) if rank in {"0", "1", "2"} else 0), rest


def _named(people: Any, item: Item, asker: User) -> Any:
    """Of these the ones whose names `asker` may know; `rank` says how far each has read."""
    if may_share(asker):
        return people
    in_person = effective_access.in_person(item).values("pk")
    return people.filter(Q(pk__in=in_person) | Q(rank__gt=0))


def _page(
    people: Any, item: Item, asker: User, after: str, length: int, *, read_from: int
) -> Readers:
    """A page of people, those who have read least first, without what each has read."""
    counted: Any = people.aggregate(
        people=Count("pk"), read=Count("pk", filter=Q(rank__gte=read_from))
    )
    told = _named(people, item, asker)
    unnamed = 0 if told is people else counted["people"] - told.count()
    rank, name = _place(after)
    if after:
        told = told.filter(Q(rank__gt=rank) | Q(rank=rank, username__gt=name))
    found: list[Any] = list(told.order_by("rank", "username")[: length + 1])
    shown = found[:length]
    last = shown[-1] if len(found) > length else None
    return Readers(
        lines=[Line(user, None, is_owner=user.pk == item.owner_id) for user in shown],
        next=f"{last.rank}.{last.username}" if last else "",
        people=counted["people"],
        have_read=counted["read"],
        unnamed=unnamed,
    )
