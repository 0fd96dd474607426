"""What is in a folder: folders first, by name, then files by name, size or time.

Each order is an index read from where the last page ended: a folder with 200,000 files costs what
one with ten does. What the index proposes, the rule decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from files.access.principals import Principal
from files.lists import cursors
from files.lists.filters import EVERYTHING, LOOKED_AT, Facts, Filter
from files.lists.rows import Page, Row, after, visible_among
from files.models import Entry, FileRecord, Folder
from runtime.statements import ID, statement

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
    about: tuple[Any, ...] = ()
    """What a filter asks of it: `_OF_FOLDER`, or `_OF_FILE`."""


_OF_FOLDER = ("added_by", "owner")
_OF_FILE = ("content_type", "name", "custody", "uploaded_by", "owner")
"""Columns; in a folder, what is whose says who added it, since all of it is its owner's."""


def page_of(
    who: Principal,
    folder: Folder,
    *,
    order: Order,
    cursor: str = "",
    length: int,
    keep: Filter = EVERYTHING,
) -> Page:
    """What is in the folder, from `cursor`; the first page where that means nothing.

    Only what `keep` keeps, of so much as a page may look at: then it says that it goes on. Four
    queries at most.
    """
    kind, position = position_of(cursor, order) or (FOLDERS, None)
    window = LOOKED_AT if keep.is_set else length
    found: list[_Proposed] = []
    if kind == FOLDERS:
        if keep.has_folders:
            found = _folders(folder, order, position, window + 1, keep)
        position = None
    if len(found) <= window and keep.has_files:
        found += _files(folder, order, position, window + 1 - len(found), keep)
    looked_at = found[:window]
    kept = [one for one in looked_at if _keeps(keep, one, who.user.pk)]
    shown = kept[:length]
    seen = visible_among(
        who,
        [one.pk for one in shown if one.kind == FILES],
        [one.pk for one in shown if one.kind == FOLDERS],
    )
    rows = [Row(seen[one.pk]) for one in shown if one.pk in seen]
    is_cut = len(kept) <= length and keep.is_set
    if len(kept) <= length and len(found) <= window:
        return Page(rows)
    last = shown[-1] if len(kept) > length else looked_at[-1]
    return Page(rows, cursors.encode(str(order), last.kind, *last.position), is_cut)


def _keeps(keep: Filter, one: _Proposed, me: int | None) -> bool:
    if not keep.is_set:
        return True
    if one.kind == FOLDERS:
        added_by, owner = one.about
        return keep.keeps_folder(added_by or owner, me)
    content_type, name, custody, uploaded_by, owner = one.about
    return keep.keeps_file(Facts(content_type, name, custody, uploaded_by or owner), me)


def position_of(cursor: str, order: Order) -> tuple[str, tuple[Any, ...] | None] | None:
    """Where a page begins: among folders or files, and after what.

    None where the cursor is none of this list in that order.
    """
    same = cursors.one_of(str(order))
    found = cursors.decode(cursor, same, cursors.one_of(FOLDERS), cursors.text)
    if found is None:
        kinds = {
            "name": (cursors.text,),
            "size": (cursors.number, cursors.number),
            "time": (cursors.number,),
        }[order.by]
        found = cursors.decode(cursor, same, cursors.one_of(FILES), *kinds)
    return None if found is None else (found[1], found[2:])


def _folders(
    folder: Folder, order: Order, position: tuple[Any, ...] | None, at_most: int, keep: Filter
) -> list[_Proposed]:
    about = _OF_FOLDER if keep.is_set else ()
    by_name = Order("name", order.down and order.by == "name")
    if position is None and not about:
        found = _first_by_name(folder=folder.pk, kind=FOLDERS, down=by_name.down, at_most=at_most)
        return _proposed(FOLDERS, found, ("key",))
    entries = Entry.objects.filter(parent=folder, folder__isnull=False)
    return _next(FOLDERS, entries, ("key",), "folder", by_name, position, at_most, about)


def _files(
    folder: Folder, order: Order, position: tuple[Any, ...] | None, at_most: int, keep: Filter
) -> list[_Proposed]:
    about = _OF_FILE if keep.is_set else ()
    if order.by == "name" and position is None and not about:
        found = _first_by_name(folder=folder.pk, kind=FILES, down=order.down, at_most=at_most)
        return _proposed(FILES, found, ("key",))
    if order.by == "name":
        entries = Entry.objects.filter(parent=folder, file__isnull=False)
        return _next(FILES, entries, ("key",), "file", order, position, at_most, about)
    if order.by == "size":
        records = FileRecord.objects.filter(folder=folder, trashed_at=None)
        return _next(FILES, records, ("size", "place"), "pk", order, position, at_most, about)
    # As a range of folders, which is one: of a folder that it knows by an equality PostgreSQL might
    # read all files of the vault in the order of their places, and look for those of the folder.
    records = FileRecord.objects.filter(
        folder__gte=folder.pk, folder__lte=folder.pk, trashed_at=None
    )
    begin = (folder.pk, *position) if position is not None else None
    there = _next(FILES, records, ("folder", "place"), "pk", order, begin, at_most, about)
    return [_Proposed(one.kind, one.position[1:], one.pk, one.about) for one in there]


def _next(
    kind: str,
    rows: QuerySet[Any, Any],
    columns: tuple[str, ...],
    pk: str,
    order: Order,
    position: tuple[Any, ...] | None,
    at_most: int,
    about: tuple[str, ...],
) -> list[_Proposed]:
    if position is not None:
        rows = after(rows, columns, position, down=order.down)
    found = _ordered(rows, columns, pk, order.down, at_most, about)
    return _proposed(kind, found, columns)


def _ordered(
    rows: QuerySet[Any, Any],
    columns: tuple[str, ...],
    pk: str,
    down: bool,
    at_most: int,
    about: tuple[str, ...] = (),
) -> QuerySet[Any, Any]:
    ordered = rows.order_by(*(f"-{one}" if down else one for one in columns))
    return ordered[:at_most].values_list(pk, *columns, *_facts(pk, about))


def _proposed(
    kind: str, found: Iterable[Sequence[Any]], columns: tuple[str, ...]
) -> list[_Proposed]:
    end = 1 + len(columns)
    return [_Proposed(kind, row[1:end], row[0], _told(row[end:])) for row in map(tuple, found)]


@statement(folder=ID)
def _first_by_name(folder: Any, kind: str, down: bool, at_most: int) -> QuerySet[Any, Any]:
    """The page that most people see: the first one, by name, whatever is there."""
    what = "folder" if kind == FOLDERS else "file"
    entries = Entry.objects.filter(parent=folder, **{f"{what}__isnull": False})
    return _ordered(entries, ("key",), what, down, at_most)


def _facts(pk: str, about: tuple[str, ...]) -> tuple[Any, ...]:
    """These columns of a file itself, or of the file or the folder of an entry."""
    if pk == "pk" or not about:
        return about
    model: Any = FileRecord if pk == "file" else Folder
    of_it = model._default_manager.filter(pk=OuterRef(pk)).order_by()
    # Each looked up by itself: in a join PostgreSQL might read all files there are.
    return (Subquery(of_it.values_list(JSONObject(**{column: column for column in about}))),)


def _told(facts: tuple[Any, ...]) -> tuple[Any, ...]:
    one_object = len(facts) == 1 and isinstance(facts[0], dict)
    return tuple(facts[0].values()) if one_object else facts
