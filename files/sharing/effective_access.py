"""Effective access, explained: who can read a file and why, and the same the other way round.

For administrators. This is the rule of `access` read backwards, and never decides anything: the
tests hold the two against each other. Every page takes a fixed number of queries, whatever the
number of people, groups and grants, and of each recipient's grants it names the widest few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import User
from files import access
from files.access import Permission, Person
from files.models import FileRecord, Grant

AT_MOST = 5
"""Grants of one file to one recipient that are named."""

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_WIDEST = (F("level").desc(), F("expires_at").desc(nulls_first=True), F("id").desc())
_NEWEST = (F("id").desc(),)


@dataclass(frozen=True)
class Reason:
    """Why somebody reaches a file, or does not: as its owner, or through a grant."""

    grant: Grant | None
    status: str  # As `Grant.status_at`; an owner's is always live.

    @property
    def until(self) -> datetime | None:
        """When it ends, if it does."""
        return self.grant.expires_at if self.grant else None

    def __str__(self) -> str:
        """`owner`, `grant 12`, or `grant 12 via group “Audit”`."""
        if self.grant is None:
            return "owner"
        via = f" via {self.grant.recipient_name}" if self.grant.group_id else ""
        return f"grant {self.grant.pk}{via}"


@dataclass(frozen=True)
class Explained:
    """One person's access to one file."""

    user: User
    record: FileRecord
    reasons: Sequence[Reason]
    may_download: bool


# --- Who can read a file ----------------------------------------------------------------------


def readers(record: FileRecord, at: datetime | None = None) -> QuerySet[User]:
    """The people for whom the file is in `visible_to`, at that moment, by default now."""
    return _named_by(record, record.grants.live(at)).filter(is_active=True)


def shut_out(record: FileRecord, at: datetime | None = None) -> QuerySet[User]:
    """Those whom the file or one of its grants names, and who cannot see it all the same."""
    named = _named_by(record, record.grants.all())
    return named.exclude(pk__in=readers(record, at).values("pk"))


def _named_by(record: FileRecord, grants: QuerySet[Grant]) -> QuerySet[User]:
    groups = grants.filter(group__isnull=False).values("group")
    members = User.groups.through.objects.filter(group__in=groups).values("user")
    people = grants.filter(user__isnull=False).values("user")
    return User.objects.filter(Q(pk=record.owner_id) | Q(pk__in=people) | Q(pk__in=members))


def explain_readers(
    record: FileRecord, people: Iterable[User], *, now: datetime, live: bool
) -> list[Explained]:
    """For each of these people why the file is theirs to read or, unless `live`, why it is not."""
    users = list(people)
    groups_of = _groups_of(users)
    in_question = Q(user__in=users) | Q(group__in=set().union(*groups_of.values()))
    grants = _few(record.grants.filter(in_question), now=now, live=live)
    permitted = _who_may_download(users)
    return [
        Explained(
            user,
            record,
            _reasons(user, record, grants, groups_of[user.pk], now),
            user.pk in permitted,
        )
        for user in users
    ]


# --- Which files a person can read ------------------------------------------------------------


def withheld(user: User) -> QuerySet[FileRecord]:
    """The files that the user owns or is named for, and cannot see all the same."""
    named = Exists(Grant.objects.filter(file=OuterRef("pk")).naming(user))
    files = FileRecord.objects.filter(Q(owner=user) | named)
    return files.exclude(pk__in=access.visible_to(Person(user)).values("pk"))


def explain_files(
    user: User, records: Iterable[FileRecord], *, now: datetime, live: bool
) -> list[Explained]:
    """For each of these files why the user can read it or, unless `live`, why not."""
    files = list(records)
    groups = _groups_of([user])[user.pk]
    grants = _few(Grant.objects.filter(file__in=files).naming(user), now=now, live=live)
    may_download = bool(_who_may_download([user]))
    return [
        Explained(user, record, _reasons(user, record, grants, groups, now), may_download)
        for record in files
    ]


# --- Both -------------------------------------------------------------------------------------


def _few(grants: QuerySet[Grant], *, now: datetime, live: bool) -> list[Grant]:
    """Of each file's grants to each recipient the widest live ones, or the newest of all."""
    found: Any = grants
    if live:
        found = found.live(now)
    place = Window(
        RowNumber(),
        partition_by=[F("file"), F("user"), F("group")],
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


def _who_may_download(users: Sequence[User]) -> set[int]:
    may = User.objects.with_perm(Permission.DOWNLOAD.value, backend=_BACKEND)
    return set(may.filter(pk__in=[user.pk for user in users]).values_list("pk", flat=True))


def _reasons(
    user: User, record: FileRecord, grants: list[Grant], groups: set[int], now: datetime
) -> list[Reason]:
    owner = [Reason(None, "live")] if record.owner_id == user.pk else []
    through = [
        Reason(grant, grant.status_at(now))
        for grant in grants
        if grant.file_id == record.pk and (grant.user_id == user.pk or grant.group_id in groups)
    ]
    return owner + through
