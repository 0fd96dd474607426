"""What was shared with somebody, by the time of the grant: files and folders, one row for each.

Made of the grants to them and to each of their groups, every one an index read in its order. Of
several grants of one thing the newest says where it stands. What the grants propose, the rule
decides; what is one's own is not shared with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from files.access.principals import Principal
from files.lists import cursors
from files.lists.filters import EVERYTHING, GRANTS_LOOKED_AT, Filter
from files.lists.rows import Page, Row, after, merged, visible_among
from files.models import Grant, GrantQuerySet, Item

MERGED = 100
"""Ways, in person and through groups, that one query merges: who is in more takes another query."""

AHEAD = 2
"""How many grants are looked at for each row: some are of things that stand elsewhere."""

_COLUMNS = ("created_at", "pk")
Position = tuple[datetime, int]


def page_of(
    who: Principal,
    *,
    down: bool = True,
    cursor: str = "",
    length: int,
    keep: Filter = EVERYTHING,
) -> Page:
    """What was shared with the principal, the newest first where it is `down`, from `cursor`."""
    if not who.user.is_active:
        return Page()
    begin = position_of(cursor, down=down)
    window = GRANTS_LOOKED_AT if keep.is_set else AHEAD * length
    proposed = _positions(who, begin, down=down, at_most=window + 1)
    if not proposed:
        return Page()
    rows, last = _rows(who, proposed[:window], length, keep)
    if last is None or last == proposed[-1]:
        return Page(rows)
    cut = len(rows) < length
    return Page(rows, cursors.encode("-" if down else "+", *last), is_cut=cut)


def position_of(cursor: str, *, down: bool) -> tuple[Any, ...] | None:
    """After what a page begins; None where the cursor is none of this list in that order."""
    return cursors.position_in_time(cursor, cursors.number, down=down)


def _positions(
    who: Principal, begin: tuple[Any, ...] | None, *, down: bool, at_most: int
) -> list[Position]:
    """The next grants that count, by their time and number."""
    sign = "-" if down else ""
    live: QuerySet[Any, Any] = Grant.objects.live().order_by()
    if begin is not None:
        live = after(live, _COLUMNS, begin, down=down)
    ways = [live.filter(user=who.user.pk)]
    groups = who.user.groups.order_by().values_list("pk", flat=True)
    ways += [live.filter(group_id=group) for group in groups]
    found = []
    for first in range(0, len(ways), MERGED):
        some = ways[first : first + MERGED]
        pieces: list[QuerySet[Any, Any]] = [way.values_list(*_COLUMNS) for way in some]
        order = [sign + column for column in _COLUMNS]
        found.append(list(merged(pieces, order, at_most, repeated=True)))
    return list(islice(merge(*found, reverse=down), at_most))


def _rows(
    who: Principal, proposed: Sequence[Position], length: int, keep: Filter
) -> tuple[list[Row], Position | None]:
    """The rows that these grants give, so many at most, and the last grant that was looked at."""
    grants = Grant.objects.select_related("granted_by", "group").in_bulk([pk for _, pk in proposed])
    newest = _newest_of(who, grants.values())
    seen = visible_among(
        who,
        [grant.file_id for grant in grants.values() if grant.file_id],
        [grant.folder_id for grant in grants.values() if grant.folder_id],
    )
    rows: list[Row] = []
    last = None
    for position in proposed:
        grant = grants.get(position[1])
        item = seen.get(_thing(grant)) if grant is not None else None
        if (
            grant is not None
            and item is not None
            and item.owner_id != who.user.pk
            and newest.get(item.pk) == position
            and keep.keeps(item, who.user.pk)
        ):
            if len(rows) == length:
                break
            rows.append(_row(item, grant))
        last = position
    return rows, last


def _row(item: Item, grant: Grant) -> Row:
    through = grant.group.name if grant.group else ""
    return Row(item, grant.created_at, grant.granted_by, through, grant.expires_at)


def _newest_of(who: Principal, grants: Any) -> dict[UUID, Position]:
    """Of each thing that these are of, the newest grant to the principal that counts."""
    grants = list(grants)
    files = [grant.file_id for grant in grants if grant.file_id]
    folders = [grant.folder_id for grant in grants if grant.folder_id]
    live: GrantQuerySet = Grant.objects.live().order_by()
    pieces: list[QuerySet[Any, Any]] = []
    for things in (Q(file__in=files), Q(folder__in=folders)):
        pieces += [
            way.filter(things).values_list("file", "folder", *_COLUMNS)
            for way in live.by_way(who.user)
        ]
    found: dict[UUID, Position] = {}
    for file, folder, at, pk in pieces[0].union(*pieces[1:], all=True):
        thing = file or folder
        found[thing] = max(found.get(thing, (at, pk)), (at, pk))
    return found


def _thing(grant: Grant) -> UUID:
    thing = grant.file_id or grant.folder_id
    if thing is None:  # A constraint of the database says that one of them is there.
        raise ValueError("a grant of nothing")
    return thing
