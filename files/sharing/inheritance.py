"""The grants of something, its own and those of folders above, to be shown. Decides nothing."""

from __future__ import annotations

from files.models import Ancestry, Grant, Item

AT_MOST = 50
"""Inherited grants that are named, the newest."""


def lasting_on(item: Item, *, after: int, at_most: int) -> list[Grant]:
    """Grants of the thing itself that let somebody in, or will, by number, after one. One query."""
    found = item.grants.lasting().filter(pk__gt=after)
    found = found.select_related("user", "group", "granted_by", "folder")
    return list(found.order_by("pk")[:at_most])


def from_above(item: Item) -> list[Grant]:
    """The grants on folders above it that let somebody in, or will. One query."""
    above = Ancestry.objects.filter(descendant=item.container_id).values("ancestor")
    found = Grant.objects.lasting().filter(folder__in=above)
    found = found.select_related("user", "group", "granted_by", "folder")
    return list(found.order_by("-created_at", "-pk")[:AT_MOST])
