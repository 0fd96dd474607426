"""What somebody had to do with lately: added, opened, or was given themselves.

Read from a table of the person's own (`files.vault.recent` writes it). What it proposes, the rule
decides: what one may no longer see is left out.
"""

from __future__ import annotations

from typing import Any

from files.access.principals import Principal
from files.lists import cursors
from files.lists.filters import EVERYTHING, GRANTS_LOOKED_AT, Filter
from files.lists.rows import Page, Row, after, visible_among
from files.models import RecentFile


def page_of(
    who: Principal,
    *,
    down: bool = True,
    cursor: str = "",
    length: int,
    keep: Filter = EVERYTHING,
) -> Page:
    """The files that the principal had to do with, the last first where it is `down`."""
    if not who.user.is_active:
        return Page()
    sign = "-" if down else ""
    begin = position_of(cursor, down=down)
    recent = RecentFile.objects.filter(user=who.user.pk)
    if begin is not None:
        recent = after(recent, ("at", "id"), begin, down=down)
    window = GRANTS_LOOKED_AT if keep.is_set else length
    proposed = list(recent.order_by(f"{sign}at", f"{sign}id")[: window + 1])
    seen = visible_among(who, [one.file_id for one in proposed[:window]], [])
    rows: list[Row] = []
    last = None
    for one in proposed[:window]:
        item = seen.get(one.file_id)
        if item is not None and keep.keeps(item, who.user.pk):
            if len(rows) == length:
                break
            rows.append(Row(item, one.at, note=one.get_way_display()))
        last = one
    if last is None or last == proposed[-1]:
        return Page(rows)
    return Page(rows, cursors.encode(sign or "+", last.at, last.pk), is_cut=len(rows) < length)


def position_of(cursor: str, *, down: bool) -> tuple[Any, ...] | None:
    """After what a page begins; None where the cursor is none of this list in that order."""
    return cursors.position_in_time(cursor, cursors.number, down=down)
