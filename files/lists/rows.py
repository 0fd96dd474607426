"""What a list shows, and the one way onto it: whatever an index proposes is asked of the rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, F, Func, OuterRef, QuerySet, Subquery, Value
from django.db.models.lookups import GreaterThan, LessThan

from accounts.models import User
from files.access.principals import Principal
from files.access.rule import folders_visible_to, visible_to
from files.access.statements import asked
from files.models import FileRecord, Folder, Item, Received
from files.records.pictures import picture_of
from runtime.statements import IDS


@dataclass(frozen=True)
class Row:
    """One file or folder of a list; `at` and `by` say since when it is there, and whose doing.

    `until` is when it ends to be there by itself, where that is known.
    """

    item: Item
    at: datetime | None = None
    by: User | None = None
    note: str = ""
    until: datetime | None = None

    @property
    def goes_at(self) -> datetime | None:
        """When it is deleted for good, where it was put away."""
        return self.at and self.at + settings.TRASH_TIME

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return isinstance(self.item, Folder)

    @property
    def picture(self) -> str:
        """Which of the pictures in `img/kinds.svg` stands before it."""
        if isinstance(self.item, Folder):
            return "folder"
        return picture_of(self.item.content_type, self.item.name)


@dataclass(frozen=True)
class Page:
    """Some rows, and the cursor of the page after them; empty on the last.

    `is_cut` says that the list goes on, though the page is not full. `left_out` says that there was
    more to look through than one page may.
    """

    rows: list[Row] = field(default_factory=list)
    next_cursor: str = ""
    is_cut: bool = False
    left_out: bool = False

    @property
    def records(self) -> list[FileRecord]:
        """The files among the rows."""
        return [row.item for row in self.rows if isinstance(row.item, FileRecord)]


def shown_files(files: QuerySet[FileRecord]) -> QuerySet[FileRecord]:
    """With what a row shows of a file."""
    return with_sender(files.select_related("owner", "current"))


def with_sender(files: QuerySet[FileRecord]) -> QuerySet[FileRecord]:
    """With `sender_name`: who sent a file from outside."""
    # Asked of each row and not joined: PostgreSQL plans so many tables at once and no more
    # (join_collapse_limit), and would go through all files with one more of them beside the rule.
    senders = Received.objects.filter(file=OuterRef("pk")).values("sender__name")
    found: Any = files.annotate(sender_name=Subquery(senders))
    named: QuerySet[FileRecord] = found
    return named


def visible_among(
    who: Principal, files: Iterable[UUID], folders: Iterable[UUID]
) -> dict[UUID, Item]:
    """Those of the proposed files and folders that the principal may see. Two queries at most."""
    found: dict[UUID, Item] = {}
    if wanted := list(folders):
        found.update((folder.pk, folder) for folder in _folders_among(who, ids=wanted))
    if wanted := list(files):
        found.update((record.pk, record) for record in _files_among(who, ids=wanted))
    return found


@asked(ids=IDS)
def _folders_among(who: Principal, ids: Any) -> QuerySet[Folder]:
    return folders_visible_to(who).select_related("owner").filter(pk__in=ids)


@asked(ids=IDS)
def _files_among(who: Principal, ids: Any) -> QuerySet[FileRecord]:
    return shown_files(visible_to(who)).filter(pk__in=ids)


def after(
    rows: QuerySet[Any, Any], columns: Sequence[str], values: Sequence[Any], *, down: bool
) -> QuerySet[Any, Any]:
    """The rows that come after these values in the order of the columns, all of them the same way.

    One comparison of all columns (SQL's row values), which an index of them answers at any depth:
    Django takes it apart on SQLite, and no index serves the parts.
    """
    meta = rows.model._meta
    fields = [meta.pk if column == "pk" else meta.get_field(column) for column in columns]
    theirs = _RowValue(*(F(column) for column in columns))
    ours = _RowValue(
        *(Value(value, output_field=one) for value, one in zip(values, fields, strict=True))
    )
    return rows.filter((LessThan if down else GreaterThan)(theirs, ours))


def merged(
    pieces: Sequence[QuerySet[Any, Any]],
    order: Sequence[str],
    at_most: int,
    *,
    repeated: bool = False,
) -> QuerySet[Any, Any]:
    """The first of what all pieces have, each an index read in that order.

    What is in several of them comes once, unless it may be `repeated`.
    """
    if len(pieces) == 1:
        return pieces[0].order_by(*order)[:at_most]
    if connection.features.supports_slicing_ordering_in_compound:
        # SQLite, which cannot, merges the pieces as their indexes have them, and stops itself.
        pieces = [piece.order_by(*order)[:at_most] for piece in pieces]
    return pieces[0].union(*pieces[1:], all=repeated).order_by(*order)[:at_most]


class _RowValue(Func):
    """`(a, b)`, to be compared as one (sqlite.org/rowvalue.html)."""

    template = "(%(expressions)s)"
    output_field: Any = BooleanField()
