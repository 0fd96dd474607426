"""What is in a folder: folders first, by name, then files by name, size or time.

Each order is an index read from where the last page ended: a folder with 200,000 files costs what
one with ten does. What the index proposes, the rule decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from files.access import Principal
from files.lists import cursors
from files.lists.rows import Page, Row, after, visible_among
from files.models import Entry, FileRecord, Folder

FOLDERS, FILES = "d", "f"


@dataclass(frozen=True)
class Order:
    """By what files are in order, and which way; folders are by name in any case."""

    by: str = "name"
    down: bool = False

    @classmethod
    def of(cls, text: str, *, allowed: tuple[str, ...] = ("name", "size", "time")) -> Order | None:
        """As an address has it, `-` in front for the other way; None where it means nothing."""
        by = text.removeprefix("-")
        return cls(by, text.startswith("-")) if by in allowed else None

    def __str__(self) -> str:
        return f"-{self.by}" if self.down else self.by

    @property
    def other_way(self) -> Order:
        """The same, from the other end."""
        return Order(self.by, not self.down)


@dataclass(frozen=True)
class _Proposed:
    kind: str
    position: tuple[Any, ...]
    pk: UUID


def page_of(who: Principal, folder: Folder, *, order: Order, cursor: str = "", length: int) -> Page:
    """What is in the folder, from `cursor`; the first page where that means nothing.

    Four queries at most.
    """
    kind, position = _decode(cursor, order)
    found: list[_Proposed] = []
    if kind == FOLDERS:
        found = _folders(folder, order, position, length + 1)
        position = None
    if len(found) <= length:
        found += _files(folder, order, position, length + 1 - len(found))
    shown = found[:length]
    seen = visible_among(
        who,
        [one.pk for one in shown if one.kind == FILES],
        [one.pk for one in shown if one.kind == FOLDERS],
    )
    rows = [Row(seen[one.pk]) for one in shown if one.pk in seen]
    if len(found) <= length:
        return Page(rows)
    return Page(rows, cursors.encode(str(order), shown[-1].kind, *shown[-1].position))


def _decode(cursor: str, order: Order) -> tuple[str, tuple[Any, ...] | None]:
    """Where the page begins: among folders or files, and after what."""
    same = cursors.one_of(str(order))
    found = cursors.decode(cursor, same, cursors.one_of(FOLDERS), cursors.text)
    if found is None:
        kinds = {
            "name": (cursors.text,),
            "size": (cursors.number, cursors.number),
            "time": (cursors.number,),
        }[order.by]
        found = cursors.decode(cursor, same, cursors.one_of(FILES), *kinds)
    return (FOLDERS, None) if found is None else (found[1], found[2:])


def _folders(
    folder: Folder, order: Order, position: tuple[Any, ...] | None, at_most: int
) -> list[_Proposed]:
    by_name = Order("name", order.down and order.by == "name")
    entries = Entry.objects.filter(parent=folder, folder__isnull=False)
    return _next(FOLDERS, entries, ("key",), "folder", by_name, position, at_most)


def _files(
    folder: Folder, order: Order, position: tuple[Any, ...] | None, at_most: int
) -> list[_Proposed]:
    if order.by == "name":
        entries = Entry.objects.filter(parent=folder, file__isnull=False)
        return _next(FILES, entries, ("key",), "file", order, position, at_most)
    if order.by == "size":
        records = FileRecord.objects.filter(folder=folder, trashed_at=None)
        return _next(FILES, records, ("size", "place"), "pk", order, position, at_most)
    # As a range of folders, which is one: of a folder that it knows by an equality PostgreSQL might
    # read all files of the vault in the order of their places, and look for those of the folder.
    records = FileRecord.objects.filter(
        folder__gte=folder.pk, folder__lte=folder.pk, trashed_at=None
    )
    begin = (folder.pk, *position) if position is not None else None
    found = _next(FILES, records, ("folder", "place"), "pk", order, begin, at_most)
    return [_Proposed(one.kind, one.position[1:], one.pk) for one in found]


def _next(
    kind: str,
    rows: QuerySet[Any, Any],
    columns: tuple[str, ...],
    pk: str,
    order: Order,
    position: tuple[Any, ...] | None,
    at_most: int,
) -> list[_Proposed]:
    if position is not None:
        rows = after(rows, columns, position, down=order.down)
    ordered = rows.order_by(*(f"-{one}" if order.down else one for one in columns))
    found = ordered.values_list(*columns, pk)[:at_most]
    return [_Proposed(kind, tuple(position), pk) for *position, pk in found]
