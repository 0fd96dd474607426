"""Where something is, and where it could go: the way down to a folder, and folders to choose from.

Names of folders above what one may see are never told.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from files.access.principals import Principal
from files.access.rule import TO_ADD, addable_by, folders_visible_to
from files.access.statements import asked
from files.lists import cursors
from files.lists.rows import after
from files.models import Entry, Folder, Grant
from runtime.statements import ID

AT_MOST = 200
"""Folders that are offered at once."""


def way_to(who: Principal, folder_id: UUID | None) -> list[Folder]:
    """The folders from the topmost one that the principal may see down to that one. One query."""
    if folder_id is None:
        return []
    return _way_to(who, folder=folder_id)


@asked(folder=ID)
def _way_to(who: Principal, folder: Any) -> QuerySet[Folder]:
    above = folders_visible_to(who).filter(below__descendant=folder)
    return above.order_by("-below__distance")


def folders_in(who: Principal, folder: Folder, *, cursor: str = "") -> tuple[list[Folder], str]:
    """The folders in a folder, by name, and the cursor of what comes after them. Two queries."""
    entries = Entry.objects.filter(parent=folder, folder__isnull=False)
    found = cursors.decode(cursor, cursors.text)
    if found is not None:
        entries = after(entries, ("key",), found, down=False)
    proposed = list(entries.order_by("key").values_list("key", "folder")[: AT_MOST + 1])
    shown = [pk for _, pk in proposed[:AT_MOST]]
    seen = folders_visible_to(who).in_bulk(shown)
    more = cursors.encode(proposed[AT_MOST - 1][0]) if len(proposed) > AT_MOST else ""
    return [seen[pk] for pk in shown if pk in seen], more


def tops(who: Principal) -> list[Folder]:
    """Where a way to a folder may begin: one's own root, and shared folders that one may add to."""
    found = list(Folder.objects.filter(owner=who.user.pk, parent=None))
    wanted: set[UUID] = set()
    live = Grant.objects.live().order_by().filter(folder__isnull=False, level__in=TO_ADD)
    for way in live.by_way(who.user):
        wanted.update(pk for pk in way.values_list("folder", flat=True)[:AT_MOST])
    shared = addable_by(who).filter(pk__in=wanted).exclude(owner=who.user.pk)
    return found + list(shared.select_related("owner").order_by("name", "pk")[:AT_MOST])
