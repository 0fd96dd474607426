"""Which links there are to something or of somebody, and which of them work now.

A link works by itself and by its maker's access: of who lost that it sleeps, and works again when
it is back. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from accounts.models import User
from files.access.permissions import Permission
from files.models import Ancestry, Item, Link, LinkQuerySet
from files.sharing import effective_access
from runtime.statements import ID, statement

AT_MOST: Final = 100
"""Links of one file or folder that work at once."""


def may_make(user: User) -> bool:
    """Whether the user may make links at all, to what they manage."""
    return bool(settings.LINKS) and user.has_perm(Permission.LINK)


def links_of(item: Item) -> LinkQuerySet:
    """The links to exactly this file or folder, the newest first."""
    found: LinkQuerySet = Link.objects.filter(**{f"{item.kind}_id": item.pk})
    return found.select_related("maker")


def links_reaching(item: Item) -> list[Link]:
    """The links that work now by themselves and lead to it, those of folders above among them.

    Whether their makers' access lasts is not asked: they may sleep. One query.
    """
    # What stands nowhere has nothing above it.
    return _reaching(kind=item.kind, item=item.pk, folder=item.covered_from_id or item.pk)


@statement(item=ID, folder=ID)
def _reaching(kind: str, item: Any, folder: Any) -> QuerySet[Link]:
    links = Link.objects.open().select_related("maker", "file", "folder").order_by()
    above = Ancestry.objects.filter(descendant=folder).values("ancestor")
    # Two questions, each by its index: as one it would look at all links.
    found = links.filter(**{f"{kind}_id": item}).union(links.filter(folder__in=above))
    return found.order_by("-created_at", "-id")[: 2 * AT_MOST]


def awake(item: Item, found: Iterable[Link]) -> set[int]:
    """Which of these, which lead to it, work now: by themselves, and by their makers' access.

    Four queries at most, however many they are and whoever made them.
    """
    live = [link for link in found if link.state == "live" and link.maker.is_active]
    makers = {link.maker_id: link.maker for link in live}
    if not makers or not settings.LINKS:
        return set()
    may = effective_access.who_may(makers.values(), Permission.LINK)
    managed = effective_access.managed_on_the_way(item, makers.values())
    return {
        link.pk
        for link in live
        if link.maker_id in may
        and (link.folder_id or link.file_id) in managed.get(link.maker_id, ())
    }


def beyond_bounds(found: QuerySet[Link]) -> QuerySet[Link]:
    """Of these, those that work and could not be made as they are today: a bound came after them.

    Domains are no matter here: one that is allowed no more opens nothing.
    """
    longest = timedelta(days=settings.LINK_MAX_DAYS + 1)
    beyond = Q(expires_at__gt=F("created_at") + longest)
    if settings.LINK_NEEDS_PASSWORD:
        beyond |= Q(password="")
    now = timezone.now()
    return found.filter(beyond, ended_at=None, revoked_at=None, expires_at__gt=now)


def made_by(user: User) -> LinkQuerySet:
    """All links that somebody made, those that are not over first, then the newest first."""
    now = timezone.now()
    is_open = Case(
        When(ended_at=None, revoked_at=None, expires_at__gt=now, then=Value(0)), default=Value(1)
    )
    found: LinkQuerySet = Link.objects.filter(maker=user).order_by(is_open, "-created_at", "-pk")
    return found.select_related("file", "folder")


def awake_by(maker: User, made: Iterable[Link], managed: Container[UUID]) -> set[int]:
    """Which of these, all of that maker's, their access keeps awake; `managed` is what they manage.

    Whether they have ended is another question.
    """
    if not may_make(maker):
        return set()
    return {one.pk for one in made if (one.file_id or one.folder_id) in managed}
