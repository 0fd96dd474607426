"""Does it follow from the log whose each file and folder is, and where it stands?

A tree has one owner, and a grant on a folder covers what is below it: so whoever writes to the
database that something stands elsewhere has given it away, without an event. Each file and folder
must stand where its last event put it, and be of the same owner as what it stands in; a person's
root is theirs by nature. Read only, in constant memory: rows and events are read in one order and
merged, and each difference is looked at once more before it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, UUIDField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from audit import Event
from audit.models import AuditEvent
from files.models import FileRecord, Folder

FILES = (
    Event.FILE_UPLOADED,
    Event.OWNERSHIP_TRANSFERRED,
    Event.MOVED,
    Event.PUT_AWAY,
    Event.RESTORED,
)
FOLDERS = (Event.FOLDER_CREATED, *FILES[1:])
_AT_ONCE = 1000

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Told:
    """What the events say: in which folder it is or, without one, in whose root."""

    owner: int | None = None
    place: str | None = None
    trashed: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What its row says, and that of what it stands in; `place` is empty for a root."""

    pk: UUID
    owner: int
    parent: UUID | None
    parent_owner: int | None
    place: UUID | None
    trashed_at: datetime | None


def total() -> int:
    """Rows that `of_files` and `of_folders` look at."""
    return FileRecord.objects.count() + Folder.objects.filter(parent__isnull=False).count()


# --- Files -------------------------------------------------------------------------------------


def of_files(progress: Progress = lambda count: None) -> Iterator[str]:
    """Files of which no event says whose they are, or where."""
    untold = _imported_untold()
    for row, said in _merged(_files(), _told(_of_files()), progress):
        if not wrong(row, said):
            continue
        now, told = _file_again(row.pk)
        found = wrong(now, told) if now is not None else []
        if now is None or not found:
            continue
        if told is None and found == ["owner"] and untold > 0:
            untold -= 1
            continue
        yield _in_words("file", now, found)


def _files() -> QuerySet[Any]:
    return FileRecord.objects.order_by("pk").values_list(
        "pk", "owner_id", "folder_id", "folder__owner_id", "folder__parent_id", "trashed_at"
    )


def _of_files() -> QuerySet[Any]:
    events = AuditEvent.objects.filter(event__in=FILES, file_id__isnull=False)
    return events.order_by("file_id", "id").values_list("file_id", "event", "actor_id", "data")


def _file_again(pk: UUID) -> tuple[Standing | None, Told | None]:
    """The file by its row, and by the log."""
    for _ in range(5):
        before = _files().filter(pk=pk).first()
        said = dict(_told(_of_files().filter(file_id=pk))).get(pk)
        if before == _files().filter(pk=pk).first():
            break
    return Standing(*before) if before is not None else None, said


def _imported_untold() -> int:
    """Files that an import made before its events told their owners: nobody can tell of them."""
    imports = AuditEvent.objects.filter(event=Event.KEYS_IMPORTED).values_list("data", flat=True)
    created = sum(data.get("created", 0) for data in imports)
    transfers = AuditEvent.objects.filter(event=Event.OWNERSHIP_TRANSFERRED, file_id__isnull=False)
    rows = transfers.values_list("data", flat=True).iterator(chunk_size=_AT_ONCE)
    return int(created - sum(data.get("from_user_id") is None for data in rows))


# --- Folders -----------------------------------------------------------------------------------


def of_folders(progress: Progress = lambda count: None, *, at_most: int) -> Iterator[str]:
    """Folders of which no event says whose they are, or where; so many of them, and one more."""
    differing: list[UUID] = []
    for row, said in _merged(_folders(), _told(_of_folders()), progress):
        if len(differing) <= at_most and wrong(row, said):
            differing.append(row.pk)
    if not differing:
        return
    # Together: no index leads to the events of one folder.
    for _ in range(5):
        before = list(_folders().filter(pk__in=differing))
        named = _of_folders().filter(data__folder_id__in=[str(pk) for pk in differing])
        said_of = dict(_told(named))
        if before == list(_folders().filter(pk__in=differing)):
            break
    for now in (Standing(*row) for row in before):
        if found := wrong(now, said_of.get(now.pk)):
            yield _in_words("folder", now, found)


def _folders() -> QuerySet[Any]:
    # No entries of roots: they are their owner's by nature.
    return (
        Folder.objects.filter(parent__isnull=False)
        .order_by("pk")
        .values_list(
            "pk", "owner_id", "parent_id", "parent__owner_id", "parent__parent_id", "trashed_at"
        )
    )


def _of_folders() -> QuerySet[Any]:
    events = AuditEvent.objects.filter(
        event__in=FOLDERS, file_id__isnull=True, data__has_key="folder_id"
    )
    of = Cast(KT("data__folder_id"), UUIDField())
    return (
        events.annotate(of=of).order_by("of", "id").values_list("of", "event", "actor_id", "data")
    )


# --- Both --------------------------------------------------------------------------------------


def _told(events: QuerySet[Any]) -> Iterator[tuple[UUID, Told]]:
    """What the events say of each thing, in the order of their ids."""
    rows = events.iterator(chunk_size=_AT_ONCE)
    for pk, of_one in groupby(rows, key=lambda row: row[0]):
        yield pk, _last(row[1:] for row in of_one)


def _last(events: Iterable[Sequence[Any]]) -> Told:
    owner, place, trashed = None, None, False
    for event, actor_id, data in events:
        match event:
            case Event.PUT_AWAY:
                trashed = True
            case Event.RESTORED:
                place, trashed = data.get("to_id"), False
            case Event.MOVED:
                place = data.get("to_id")
            case Event.FILE_UPLOADED:
                owner, place = data.get("owner_id", actor_id), data.get("folder_id")
            case Event.FOLDER_CREATED:
                owner, place = data.get("owner_id"), data.get("parent_id")
            case _:  # It went to another owner: to a folder of theirs, or to their root.
                owner, place = data.get("to_user_id"), data.get("to_id")
    return Told(owner, place, trashed)


def _merged(
    rows: QuerySet[Any], told: Iterator[tuple[UUID, Told]], progress: Progress
) -> Iterator[tuple[Standing, Told | None]]:
    said = next(told, None)
    for row in rows.iterator(chunk_size=_AT_ONCE):
        progress(1)
        standing = Standing(*row)
        while said is not None and said[0] < standing.pk:
            said = next(told, None)
        yield standing, said[1] if said is not None and said[0] == standing.pk else None


def wrong(row: Standing, said: Told | None) -> list[str]:
    """In what a row differs from what was told of it."""
    if said is None:
        return ["owner"]
    found = []
    of_another = row.parent is not None and row.parent_owner != row.owner
    if of_another or (said.place is None and said.owner != row.owner):
        found.append("owner")
    in_root = row.place is None
    if not in_root if said.place is None else str(row.parent) != said.place:
        found.append("place")
    if (row.trashed_at is not None) != said.trashed:
        found.append("being awake" if said.trashed else "being put away")
    return found


def _in_words(kind: str, row: Standing, found: list[str]) -> str:
    named = [f"owner, {row.owner}" if what == "owner" else what for what in found]
    return f"{kind} {row.pk}: no event accounts for its {' and its '.join(named)}"
