"""Effective access, explained: who can read a file or a folder and why, and the other way round.

For administrators. This is the rule of `access` read backwards, and never decides anything: the
tests hold the two against each other. Every page takes a fixed number of queries, whatever the
number of people, groups, folders and grants, and of each recipient's grants on one file or folder
it names the widest few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext

from accounts.models import User
from files.access import rule
from files.access.permissions import Permission
from files.access.principals import Person
from files.access.rule import LEVELS
from files.models import Ancestry, FileRecord, Folder, Grant, GrantQuerySet, Item

AT_MOST = 5
"""Grants of one file or folder to one recipient that are named."""

PUT_AWAY = "put away"
"""The status of what would be live, if the file or a folder above it were not in the trash."""


_BACKEND = "django.contrib.auth.backends.ModelBackend"
_RANK = Case(*(When(level=level, then=Value(rank)) for level, rank in LEVELS.items()))
_WIDEST = (_RANK.desc(), F("expires_at").desc(nulls_first=True), F("id").desc())
_NEWEST = (F("id").desc(),)


@dataclass(frozen=True)
class Reason:
    """Why somebody reaches something, or does not: as its owner, or through a grant.

    `folder` is the one that the grant is on, where that is another one than what was asked for.
    """

    grant: Grant | None
    status: str  # As `Grant.status_at`, or `PUT_AWAY`; an owner's is one of live and that.
    folder: Folder | None = None

    @property
    def until(self) -> datetime | None:
        """When it ends, if it does."""
        return self.grant.expires_at if self.grant else None

    def __str__(self) -> str:
        """`owner`, or `grant 12 on the folder “Cases” via group “Audit”`."""
        if self.grant is None:
            return gettext("owner")
        parts = [gettext("grant %(number)s") % {"number": self.grant.pk}]
        if self.folder:
            parts.append(gettext("on the folder “%(folder)s”") % {"folder": self.folder})
        if self.grant.group_id:
            parts.append(gettext("via %(name)s") % {"name": self.grant.recipient_name})
        return " ".join(parts)


@dataclass(frozen=True)
class Explained:
    """One person's access to one file or folder."""

    user: User
    record: Item
    reasons: Sequence[Reason]
    may_download: bool


# --- Who can read a file or a folder ------------------------------------------------------------


def readers(record: Item, at: datetime | None = None) -> QuerySet[User]:
    """The people for whom it is in `visible_to`, at that moment, by default now."""
    above = _above([record])
    if _is_asleep(record, above):
        return User.objects.none()
    return _named_by(record, _over(record, above).live(at)).filter(is_active=True)


def in_person(record: Item) -> QuerySet[User]:
    """Of `readers` those who own it, or whom a live grant names: not by a group alone."""
    people = _over(record, _above([record])).live().filter(user__isnull=False).values("user")
    return readers(record).filter(Q(pk=record.owner_id) | Q(pk__in=people))


def managers(record: Item) -> QuerySet[User]:
    """Of `readers` those who own or manage it."""
    above = _above([record])
    if _is_asleep(record, above):
        return User.objects.none()
    grants = _over(record, above).live().filter(level=Grant.Level.MANAGE)
    return _named_by(record, grants).filter(is_active=True)


def managed_on_the_way(record: Item, people: Collection[User]) -> dict[int, set[UUID]]:
    """Of the thing and the folders above it those that each of these people manages.

    Who manages a folder manages all below it. Three queries, however many people.
    """
    above = _above([record])
    if _is_asleep(record, above):
        return {}
    users = list(people)
    groups = _groups_of(users)
    named = Q(user__in=users) | Q(group__in=set().union(*groups.values()))
    grants = _over(record, above).live().filter(named, level=Grant.Level.MANAGE)
    rows: list[Any] = list(grants.values_list("user_id", "group_id", "folder_id", "file_id"))
    # The nearest first: the farthest that somebody manages covers all before it.
    places = list(dict.fromkeys([record.pk, *(folder.pk for folder in _path(record, above))]))
    found: dict[int, set[UUID]] = {}
    for user in users:
        if record.owner_id == user.pk:
            found[user.pk] = set(places)
            continue
        given = [
            places.index(file_id if folder_id is None else folder_id)
            for user_id, group_id, folder_id, file_id in rows
            if user_id == user.pk or group_id in groups[user.pk]
        ]
        found[user.pk] = set(places[: max(given) + 1]) if given else set()
    return found


def shut_out(record: Item, at: datetime | None = None) -> QuerySet[User]:
    """Those whom it or a grant over it names, and who cannot see it all the same."""
    named = _named_by(record, _over(record, _above([record])))
    return named.exclude(pk__in=readers(record, at).values("pk"))


def _named_by(record: Item, grants: QuerySet[Grant]) -> QuerySet[User]:
    groups = grants.filter(group__isnull=False).values("group")
    members = User.groups.through.objects.filter(group__in=groups).values("user")
    people = grants.filter(user__isnull=False).values("user")
    return User.objects.filter(Q(pk=record.owner_id) | Q(pk__in=people) | Q(pk__in=members))


def explain_readers(
    record: Item, people: Iterable[User], *, now: datetime, live: bool
) -> list[Explained]:
    """For each of these people why it is theirs to read or, unless `live`, why it is not."""
    users = list(people)
    groups_of = _groups_of(users)
    above = _above([record])
    in_question = Q(user__in=users) | Q(group__in=set().union(*groups_of.values()))
    grants = _few(_over(record, above).filter(in_question), now=now, live=live)
    permitted = who_may(users, Permission.DOWNLOAD)
    return [
        Explained(
            user,
            record,
            _reasons(user, record, above, grants, groups_of[user.pk], now, live=live),
            user.pk in permitted,
        )
        for user in users
    ]


# --- Which files a person can read --------------------------------------------------------------


def readable(user: User) -> QuerySet[FileRecord]:
    """The files that the user can see, as `visible_to` has them: found from the user's side."""
    return rule.visible_to(Person(user)).filter(pk__in=_named_for(user))


def withheld(user: User) -> QuerySet[FileRecord]:
    """The files that the user owns or is named for, and cannot see all the same."""
    named = FileRecord.objects.filter(pk__in=_named_for(user))
    return named.exclude(pk__in=rule.visible_to(Person(user)).values("pk"))


def _named_for(user: User) -> QuerySet[FileRecord, UUID]:
    """The ids of files that are the user's, or that a grant to them is over, live or not.

    Three ways by their indexes, and not all files with a question to each.
    """
    files = FileRecord.objects.order_by()
    grants = Grant.objects.order_by().naming(user)
    below = Ancestry.objects.filter(
        ancestor__in=grants.filter(folder__isnull=False).values("folder")
    )
    own = files.filter(owner=user).values_list("pk", flat=True)
    given = files.filter(pk__in=grants.filter(file__isnull=False).values("file"))
    through = files.filter(folder__in=below.values("descendant"))
    return own.union(given.values_list("pk", flat=True), through.values_list("pk", flat=True))


def explain_files(
    user: User, records: Iterable[FileRecord], *, now: datetime, live: bool
) -> list[Explained]:
    """For each of these files why the user can read it or, unless `live`, why not."""
    files = list(records)
    groups = _groups_of([user])[user.pk]
    above = _above(files)
    folders = {folder.pk for path in above.values() for folder in path}
    over_any = Grant.objects.filter(Q(file__in=files) | Q(folder__in=folders))
    grants = _few(over_any.naming(user), now=now, live=live)
    may_download = bool(who_may([user], Permission.DOWNLOAD))
    return [
        Explained(
            user,
            record,
            _reasons(user, record, above, grants, groups, now, live=live),
            may_download,
        )
        for record in files
    ]


# --- Both ---------------------------------------------------------------------------------------

Above = dict[UUID, list[Folder]]
"""Of each folder those above it and itself."""


def _above(items: Collection[Item]) -> Above:
    """The folders above these files and folders. Named to the database, not asked for in a
    subquery: only then it looks for their grants by the index, beside those of the file. One query.
    """
    found: Above = defaultdict(list)
    rows = Ancestry.objects.filter(descendant__in={item.covered_from_id for item in items} - {None})
    for row in rows.select_related("ancestor").order_by("distance"):
        found[row.descendant_id].append(row.ancestor)
    return found


def _path(item: Item, above: Above) -> list[Folder]:
    folder_id = item.covered_from_id
    return above.get(folder_id, []) if folder_id else []


def _is_asleep(item: Item, above: Above) -> bool:
    """Whether it is nobody's at the moment, since it or a folder above it was put away."""
    return item.trashed_at is not None or any(
        folder.trashed_at is not None for folder in _path(item, above)
    )


def _over(item: Item, above: Above) -> GrantQuerySet:
    """The grants of it and of the folders above it, live or not."""
    on_folders = Q(folder__in=[folder.pk for folder in _path(item, above)])
    return Grant.objects.filter(Q((item.kind, item.pk)) | on_folders)


def _few(grants: QuerySet[Grant], *, now: datetime, live: bool) -> list[Grant]:
    """Of the grants of each file and folder to each recipient the widest live ones, or the newest
    of all."""
    found: Any = grants
    if live:
        found = found.live(now)
    place = Window(
        RowNumber(),
        partition_by=[F("file"), F("folder"), F("user"), F("group")],
        order_by=_WIDEST if live else _NEWEST,
    )
    first = found.annotate(place=place).filter(place__lte=AT_MOST)
    return list(first.select_related("user", "group").order_by(*_WIDEST))


def _groups_of(users: Sequence[User]) -> defaultdict[int, set[int]]:
    groups: defaultdict[int, set[int]] = defaultdict(set)
    rows = User.groups.through.objects.filter(user__in=users)
    for user_id, group_id in rows.values_list("user_id", "group_id"):
        groups[user_id].add(group_id)
    return groups


def who_may(users: Collection[User], permission: Permission) -> set[int]:
    """Which of these people are active and have that permission. One query."""
    may = User.objects.with_perm(permission.value, backend=_BACKEND)
    return set(may.filter(pk__in=[user.pk for user in users]).values_list("pk", flat=True))


def _reasons(
    user: User,
    record: Item,
    above: Above,
    grants: list[Grant],
    groups: set[int],
    now: datetime,
    *,
    live: bool,
) -> list[Reason]:
    asleep = _is_asleep(record, above)
    if asleep and live:
        return []
    awake = PUT_AWAY if asleep else "live"
    found = [Reason(None, awake)] if record.owner_id == user.pk else []
    folders = {folder.pk: folder for folder in _path(record, above)}
    for grant in grants:
        if grant.user_id != user.pk and grant.group_id not in groups:
            continue
        if grant.folder_id is None:
            reaches = grant.file_id == record.pk
        else:
            reaches = grant.folder_id in folders
        if reaches:
            status = grant.status_at(now)
            on = folders[grant.folder_id] if grant.folder_id not in {None, record.pk} else None
            found.append(Reason(grant, awake if status == "live" else status, on))
    return found
