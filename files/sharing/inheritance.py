"""The grants of something, its own and those of folders above, to be shown. Decides nothing."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from files.models import Ancestry, Grant, Item
from runtime.statements import ID, statement

AT_MOST = 50
"""Inherited grants that are named, the newest."""


def lasting_on(item: Item, *, after: int, at_most: int) -> list[Grant]:
    """Grants of the thing itself that let somebody in, or will, by number, after one. One query."""
    found = item.grants.lasting().filter(pk__gt=after)
    found = found.select_related("user", "group", "granted_by", "folder")
    return list(found.order_by("pk")[:at_most])


def from_above(item: Item) -> list[Grant]:
    """The grants on folders above it that let somebody in, or will. One query."""
    return [] if item.container_id is None else _on_or_above(folder=item.container_id)


@statement(folder=ID)
def _on_or_above(folder: Any) -> QuerySet[Grant]:
    above = Ancestry.objects.filter(descendant=folder).values("ancestor")
    found = Grant.objects.lasting().filter(folder__in=above)
    found = found.select_related("user", "group", "granted_by", "folder")
    return found.order_by("-created_at", "-pk")[:AT_MOST]
