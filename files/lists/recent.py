"""What somebody had to do with lately: added, opened, or was given themselves.

Read from a table of the person's own (`files.vault.recent` writes it). What it proposes, the rule
decides: what one may no longer see is left out.
"""

from __future__ import annotations

from files.access import Principal
from files.lists import cursors
from files.lists.rows import Page, Row, after, visible_among
from files.models import RecentFile


def page_of(who: Principal, *, down: bool = True, cursor: str = "", length: int) -> Page:
    """The files that the principal had to do with, the last first where it is `down`."""
    if not who.user.is_active:
        return Page()
    sign = "-" if down else ""
    found = cursors.decode(cursor, cursors.one_of(sign or "+"), cursors.moment, cursors.number)
    recent = RecentFile.objects.filter(user=who.user.pk)
    if found is not None:
        recent = after(recent, ("at", "id"), found[1:], down=down)
    proposed = list(recent.order_by(f"{sign}at", f"{sign}id")[: length + 1])
    shown = proposed[:length]
    seen = visible_among(who, [one.file_id for one in shown], [])
    rows = [
        Row(seen[one.file_id], one.at, note=one.get_way_display())
        for one in shown
        if one.file_id in seen
    ]
    if len(proposed) <= length:
        return Page(rows)
    last = shown[-1]
    return Page(rows, cursors.encode(sign or "+", last.at, last.pk), is_cut=len(rows) < length)
