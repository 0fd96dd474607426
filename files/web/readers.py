"""Who can read a file or a folder and why, as its pages show it: one line for each grant.

Living access and what has ended are told apart. What is said here decides nothing: that is
`files.access`, and what may be stopped `files.sharing.delegating`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from files.access.explaining import Access
from files.models import Folder, Grant, Item, Link
from files.sharing import delegating
from files.sharing.inheritance import from_above
from files.sharing.links import listing
from files.sharing.recipients import describe
from files.web.words import Words, can
from runtime.statements import ID, statement


@dataclass(frozen=True)
class Line:
    """One grant in words."""

    grant: Grant
    name: str
    people: int | None
    """How many can use it, where it is a group's."""
    can: Words
    by: str
    folder: Folder | None
    """The folder that it is on, where it is another one than what the page is about, and seen."""
    is_above: bool
    """Whether it is on a folder above."""
    may_stop: bool

    @property
    def status(self) -> str:
        """As `Grant.status`."""
        return self.grant.status


@dataclass(frozen=True)
class LinkLine:
    """One link by which people outside read it."""

    link: Link
    folder: Folder | None
    """The folder that it is to, where it is another one than what the page is about, and seen."""
    is_above: bool
    is_awake: bool
    """Whether its maker still has what it takes."""

    @property
    def name(self) -> str:
        """What it is called: its note is for those who manage what it leads to."""
        return _("link %(number)s") % {"number": self.link.pk} if self.is_above else str(self.link)


@dataclass(frozen=True)
class Part:
    """One page of many grants. How many there are is not counted: of a file that thousands may read
    that takes longer than the page."""

    grants: Sequence[Grant]
    number: int
    has_next: bool

    def __iter__(self) -> Iterator[Grant]:
        return iter(self.grants)

    @property
    def has_previous(self) -> bool:
        """Whether there are pages before it."""
        return self.number > 1

    @property
    def has_other_pages(self) -> bool:
        """Whether it is not the only one."""
        return self.has_previous or self.has_next

    @property
    def previous_page_number(self) -> int:
        """Of the page before."""
        return self.number - 1

    @property
    def next_page_number(self) -> int:
        """Of the page after."""
        return self.number + 1

    @property
    def how_many(self) -> str:
        """How many there are up to here, with a + where there are more; "" for none at all."""
        known = (self.number - 1) * settings.GRANTS_PER_PAGE + len(self.grants)
        return f"{known}{'+' if self.has_next else ''}" if known else ""


@dataclass(frozen=True)
class Readers:
    """Everybody who reads something, or did, by grants of its own and of folders above it."""

    living: Part
    lines: Sequence[Line]
    """Of the page of living grants."""
    inherited: Sequence[Line]
    ended: Part
    ended_lines: Sequence[Line]
    links: Sequence[LinkLine]

    @property
    def is_nobody(self) -> bool:
        """Whether it is its owner's alone."""
        return not self.living.how_many and not self.inherited and not self.links


def readers_of(
    item: Item, access: Access, seen: Collection[UUID], *, user: User, page: str, ended_page: str
) -> Readers:
    """The lines of that page, for who manages it. `seen` are the folders above that they see.

    Twelve queries at most.
    """
    living = _page(item, page, ended=False)
    ended = _page(item, ended_page, ended=True)
    above = from_above(item)
    sizes = sizes_of(one.group_id for one in [*living, *above])

    def lines(grants: Iterable[Grant]) -> list[Line]:
        return lines_of(grants, item, seen, sizes, access=access, user=user)

    return Readers(living, lines(living), lines(above), ended, lines(ended), _links_of(item, seen))


def _links_of(item: Item, seen: Collection[UUID]) -> list[LinkLine]:
    """The links that lead to it, its own and those to folders above. Five queries at most."""
    found = listing.links_reaching(item)
    awake = listing.awake(item, found)
    return [
        LinkLine(
            link=one,
            folder=one.folder if one.folder_id != item.pk and one.folder_id in seen else None,
            is_above=one.folder_id not in {None, item.pk},
            is_awake=one.pk in awake,
        )
        for one in found
    ]


def lines_of(
    grants: Iterable[Grant],
    item: Item,
    seen: Collection[UUID],
    sizes: dict[int, int],
    *,
    access: Access,
    user: User,
) -> list[Line]:
    """These grants in words. What is on a folder above is stopped there."""
    return [
        Line(
            grant=one,
            name=_name(one),
            people=sizes.get(one.group_id, 0) if one.group_id else None,
            can=can(one.level, folder=one.folder_id is not None),
            by=describe(one.granted_by) if one.granted_by else "",
            folder=one.folder if _is_above(one, item) and one.folder_id in seen else None,
            is_above=_is_above(one, item),
            may_stop=not _is_above(one, item)
            and one.status in {"live", "scheduled"}
            and delegating.may_withdraw(one, access, actor=user),
        )
        for one in grants
    ]


def sizes_of(group_ids: Iterable[int | None]) -> dict[int, int]:
    """How many active people are in each of these groups. One query."""
    wanted = {pk for pk in group_ids if pk is not None}
    if not wanted:
        return {}
    members = User.groups.through.objects.filter(group__in=wanted, user__is_active=True)
    return dict(members.values_list("group").annotate(people=Count("user")))


def _page(item: Item, number: str, *, ended: bool) -> Part:
    """That page; the first one for what is no number, or a page that is not there."""
    length = settings.GRANTS_PER_PAGE
    asked = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    for page in dict.fromkeys((max(asked, 1), 1)):
        found = _of_item(item, ended=ended, first=(page - 1) * length, at_most=length + 1)
        if found:
            return Part(found[:length], page, len(found) > length)
    return Part((), 1, has_next=False)


def _of_item(item: Item, *, ended: bool, first: int, at_most: int) -> list[Grant]:
    if first:  # Hardly anything has so many: nothing is kept for each number of a page.
        return list(_its_grants(item.pk, item.kind, ended)[first : first + at_most])
    return _first_of_item(item=item.pk, kind=item.kind, ended=ended, at_most=at_most)


@statement(item=ID)
def _first_of_item(item: Any, kind: str, ended: bool, at_most: int) -> QuerySet[Grant]:
    return _its_grants(item, kind, ended)[:at_most]


def _its_grants(item: Any, kind: str, ended: bool) -> QuerySet[Grant]:
    grants = Grant.objects.filter(**{f"{kind}_id": item})
    grants = grants.ended() if ended else grants.lasting()
    return grants.select_related("user", "group", "granted_by", "folder")


def _is_above(grant: Grant, item: Item) -> bool:
    return grant.folder_id not in {None, item.pk}


def _name(grant: Grant) -> str:
    recipient = grant.group or grant.user
    return describe(recipient) if recipient else grant.recipient_name
