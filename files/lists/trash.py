"""The trash: what was put away and one may bring back, by when that was.

One's own, and of other owners what was in folders that one manages, or what one put away oneself.
Proposed by the indexes of what each owner has in the trash; the rule decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from files.access.principals import Principal
from files.access.rule import trashed_files_of, trashed_folders_of
from files.lists import cursors
from files.lists.rows import Page, Row, merged, with_sender
from files.models import FileRecord, Folder, Grant, Item

OWNERS = 100
"""Owners whose trash is looked through; one's own is the first of them."""

GRANTS = 1000
"""Grants of folders of which the owners are taken."""

AHEAD = 4
"""How many put away things are looked at for each row, where there are other owners."""

Position = tuple[datetime, UUID]


@dataclass(frozen=True, order=True)
class _Proposed:
    at: datetime
    pk: UUID
    is_folder: bool


def page_of(who: Principal, *, down: bool = True, cursor: str = "", length: int) -> Page:
    """What the principal may bring back, the newest first where it is `down`, from `cursor`."""
    if not who.user.is_active:
        return Page()
    owners = [who.user.pk, *_other_owners(who)]
    begin = position_of(cursor, down=down)
    window = length if len(owners) == 1 else AHEAD * length
    streams = [
        _positions(model, owners, begin, down=down, at_most=window + 1)
        for model in (FileRecord, Folder)
    ]
    proposed = list(merge(*streams, reverse=down))
    rows, last = _rows(who, proposed[:window], length)
    if last is None or last == proposed[-1]:
        return Page(rows)
    cut = len(rows) < length
    return Page(rows, cursors.encode("-" if down else "+", last.at, last.pk), is_cut=cut)


def position_of(cursor: str, *, down: bool) -> tuple[Any, ...] | None:
    """After what a page begins; None where the cursor is none of this list in that order."""
    return cursors.position_in_time(cursor, cursors.uuid, down=down)


def _other_owners(who: Principal) -> list[int]:
    """The owners of folders that were granted to the principal."""
    found: set[int] = set()
    live = Grant.objects.live().order_by().filter(folder__isnull=False)
    for way in live.by_way(who.user):
        some = way.values("folder")[:GRANTS]
        found.update(Folder.objects.filter(pk__in=some).values_list("owner", flat=True).distinct())
    return sorted(found - {who.user.pk})[: OWNERS - 1]


def _positions(
    model: type[FileRecord] | type[Folder],
    owners: Sequence[int],
    begin: tuple[Any, ...] | None,
    *,
    down: bool,
    at_most: int,
) -> list[_Proposed]:
    sign = "-" if down else ""
    order = (f"{sign}trashed_at", f"{sign}id")
    put_away: QuerySet[Any, Any] = model._default_manager.filter(trashed_at__isnull=False)
    if begin is not None:
        at, pk = begin
        # Moments that are the same are few: what was put away at once is one thing.
        edge = {"trashed_at__lte" if down else "trashed_at__gte": at}
        beyond = {"trashed_at": at, "id__gte" if down else "id__lte": pk}
        put_away = put_away.filter(**edge).exclude(**beyond)
    pieces = [
        put_away.filter(owner_id=owner).order_by().values_list("trashed_at", "id")
        for owner in owners
    ]
    found = merged(pieces, order, at_most, repeated=True)
    return [_Proposed(at, pk, model is Folder) for at, pk in found]


def _rows(
    who: Principal, proposed: Sequence[_Proposed], length: int
) -> tuple[list[Row], _Proposed | None]:
    files = [one.pk for one in proposed if not one.is_folder]
    folders = [one.pk for one in proposed if one.is_folder]
    seen: dict[UUID, Item] = {}
    if files:
        records = with_sender(
            trashed_files_of(who).select_related("owner", "current", "trashed_by", "folder")
        )
        seen.update((record.pk, record) for record in records.filter(pk__in=files))
    if folders:
        found = trashed_folders_of(who).select_related("owner", "trashed_by", "parent")
        seen.update((folder.pk, folder) for folder in found.filter(pk__in=folders))
    rows: list[Row] = []
    last = None
    for one in proposed:
        if len(rows) == length:
            break
        last = one
        if item := seen.get(one.pk):
            rows.append(Row(item, one.at, item.trashed_by, _from(item)))
    return rows, last


def _from(item: Item) -> str:
    """The name of the folder that it was in; empty for its owner's root."""
    parent = item.container
    return parent.name if parent is not None else ""
