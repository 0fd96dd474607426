"""Why a principal may reach something: the rule of `rule`, told with the grant that it goes by.

Must never say more than the rule gives: the tests hold the two against each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, QuerySet
from django.db.models.lookups import In

from accounts.models import User
from files.access.principals import Link, Outsider, Person, Principal, Program
from files.access.rule import GOES_IN, LEVELS, TO_ADD, may_let_in
from files.models import Ancestry, FileRecord, Folder, Grant, Item
from runtime.statements import IDS, NUMBER, NUMBERS, statement


@dataclass(frozen=True, slots=True)
class Access:
    """Why a principal may reach something: as its owner, or by the widest of the live grants.

    `folder` is the folder that the grant is on, where that is another one than what was asked for.
    """

    is_owner: bool
    level: str
    until: datetime | None = None
    via: str = ""
    grant_id: int | None = None
    folder: Folder | None = None

    @property
    def may_manage(self) -> bool:
        """Whether it reaches as far as `managed_by`."""
        return self.is_owner or self.level == "manage"

    @property
    def may_add(self) -> bool:
        """Whether it reaches as far as `addable_by`, where it is a folder's."""
        return self.is_owner or self.level in TO_ADD


def access_of(principal: Principal, item: Item) -> Access | None:
    """Explain the rule for one file or folder; None where the principal cannot see it.

    Three queries at most.
    """
    return accesses_of(principal, [item]).get(item.pk)


def accesses_of(principal: Principal, items: Collection[Item]) -> dict[UUID, Access]:
    """The same of several, by their ids; what the principal cannot see is not in it.

    Three queries at most, however many they are; of somebody outside one more.
    """
    if isinstance(principal, Outsider):
        return _accesses_outside(principal, items)
    user = principal.user
    if not user.is_active:
        return {}
    above = _above(items)
    seen = [
        item
        for item in items
        if item.trashed_at is None
        and not any(above[item.covered_from_id].values())
        and _is_reached(principal, above[item.covered_from_id])
    ]
    found = {item.pk: Access(True, "owner") for item in seen if item.owner_id == user.pk}
    rest = [item for item in seen if item.pk not in found]
    for item, grants in _reaching(user, rest, above):
        best = max(grants, key=_width)
        via = best.recipient_name if best.group_id else ""
        through = best.folder if best.folder_id not in {None, item.pk} else None
        found[item.pk] = Access(False, best.level, best.expires_at, via, best.pk, through)
    return found


def _accesses_outside(who: Outsider, items: Collection[Item]) -> dict[UUID, Access]:
    """What somebody outside has: the maker's access, where it is to manage, and what it is for."""
    if not may_let_in(who):
        return {}
    above = _above(items)
    reached = [
        one
        for one in items
        if (one.pk == who.file if _is_of_a_file(who) else who.folder in above[one.covered_from_id])
    ]
    found = accesses_of(Person(who.user), reached)
    level = "download" if isinstance(who, Link) else "add"
    return {
        pk: Access(
            False,
            level,
            min(who.until, access.until or who.until),
            access.via,
            access.grant_id,
            access.folder,
        )
        for pk, access in found.items()
        if access.may_manage
    }


def _is_of_a_file(who: Outsider) -> TypeGuard[Link]:
    return isinstance(who, Link) and who.file is not None


def _is_reached(principal: Person | Program, above: Mapping[UUID, object]) -> bool:
    """Whether a program's token lets it go where these folders are above."""
    if isinstance(principal, Person):
        return True
    within = principal.folder is None or principal.folder in above
    return within and bool(principal.scopes & GOES_IN)


_Above = dict[UUID | None, dict[UUID, datetime | None]]
"""Of each folder those above it and itself, and when each was put away."""


def _above(items: Collection[Item]) -> _Above:
    above: _Above = defaultdict(dict)
    folders = {one.covered_from_id for one in items} - {None}
    for folder, one, trashed_at in _ancestors(folders=sorted(folders)) if folders else ():
        above[folder][one] = trashed_at
    return above


@statement(folders=IDS)
def _ancestors(folders: Any) -> QuerySet[Any, tuple[UUID, UUID, datetime | None]]:
    rows = Ancestry.objects.filter(In(F("descendant"), folders)).order_by()
    return rows.values_list("descendant", "ancestor", "ancestor__trashed_at")


def _reaching(
    user: User | AnonymousUser, items: Collection[Item], above: _Above
) -> Iterator[tuple[Item, list[Grant]]]:
    """Each of these that live grants to the user reach, with the grants. Two queries."""
    if not items:
        return
    # By name, folders and groups: a database that had the choice might begin at all grants of a
    # folder, and these may be many.
    groups = sorted(_groups_of(user=user.pk))
    folders = {one for item in items for one in above[item.covered_from_id]}
    places = {item.place for item in items if isinstance(item, FileRecord)}
    grants = _grants_reaching(
        user=user.pk,
        groups=groups or _NONE,
        folders=sorted(folders) or _NO_IDS,
        places=sorted(places) or _NONE,
    )
    for item in items:
        over = above[item.covered_from_id]
        if reaching := [one for one in grants if one.file_id == item.pk or one.folder_id in over]:
            yield item, reaching


_NONE: Final = [0]
"""In the place of no numbers at all: no group has it, and no place."""

_NO_IDS: Final = [UUID(int=0)]


@statement(user=NUMBER)
def _groups_of(user: Any) -> QuerySet[Any, int]:
    return User.groups.through.objects.filter(user=user).order_by().values_list("group", flat=True)


@statement(user=NUMBER, groups=NUMBERS, folders=IDS, places=NUMBERS)
def _grants_reaching(user: Any, groups: Any, folders: Any, places: Any) -> QuerySet[Grant]:
    live = Grant.objects.live().order_by().select_related("group", "folder")
    in_groups = In(F("group"), groups)
    # Not by their numbers: of one that thousands may open, PostgreSQL knows that, and would rather
    # read all that the groups have than which groups it is shared with (`grant_folder_groups`).
    named = Folder.objects.filter(In(F("pk"), folders)).order_by().values("pk")
    on_folders = live.filter(folder__in=named)
    of_files = live.filter(In(F("file_place"), places))
    ways = [on_folders.filter(user=user), on_folders.filter(in_groups)]
    ways += [of_files.filter(user=user), of_files.filter(in_groups)]
    return ways[0].union(*ways[1:], all=True)


def _width(grant: Grant) -> tuple[int, bool, float]:
    until = grant.expires_at.timestamp() if grant.expires_at else 0.0
    return LEVELS[grant.level], grant.expires_at is None, until
