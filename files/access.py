"""The one rule of who may do what with which file.

A user sees a file when the user is active and owns it, or holds a live grant to it, in person or
through a group. Being a superuser adds nothing: content is for those who were granted it. Every
view, command and admin page that touches content fetches through these querysets; a second copy
of the rule anywhere else is a bug.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import connections, models
from django.db.models import F, OuterRef, Q
from django.utils import timezone

if TYPE_CHECKING:
    from accounts.models import User
    from files.models import FileRecord, Grant


MERGED_GROUPS = 100
"""Groups of one person whose grants are read each in order of their files. Of a person in more,
the grants to all the others are sorted for each page."""


class Permission(enum.StrEnum):
    """Who may use a function at all. Grants then decide on which file."""

    UPLOAD = "files.add_filerecord"
    DOWNLOAD = "files.download_filerecord"
    SHARE = "files.add_grant"
    SHARE_OWN = "files.share_filerecord"
    """As SHARE, on the pages of files alone: in the administration it means nothing."""
    READ_LOG = "audit.view_auditevent"


def may_share(user: User | AnonymousUser) -> bool:
    """Whether the user may share files at all, those that they own or manage."""
    return user.has_perm(Permission.SHARE) or user.has_perm(Permission.SHARE_OWN)


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self, at: datetime | None = None) -> GrantQuerySet:
        """Grants that count at that moment, by default now."""
        moment = at or timezone.now()
        return self.filter(
            Q(starts_at__isnull=True) | Q(starts_at__lte=moment),
            Q(expires_at__isnull=True) | Q(expires_at__gt=moment),
            revoked_at__isnull=True,
        )

    def held_by(self, user: User | AnonymousUser) -> GrantQuerySet:
        """Grants to that user in person or to one of the user's groups, live or not."""
        return self.naming(user) if user.is_active else self.none()

    def naming(self, user: User | AnonymousUser) -> GrantQuerySet:
        """As `held_by`, but for a deactivated account, too, which holds nothing. To explain."""
        return self.filter(Q(user_id=user.pk) | Q(group__in=user.groups.values("pk")))

    def by_way(self, user: User | AnonymousUser) -> tuple[GrantQuerySet, GrantQuerySet]:
        """The two parts of `naming`, in person and through groups: each has an index of its own."""
        groups = user.groups.order_by().values("pk")
        return self.filter(user=user.pk), self.filter(group__in=groups)


class FileRecordQuerySet(models.QuerySet["FileRecord"]):
    def visible_to(self, user: User | AnonymousUser) -> FileRecordQuerySet:
        """Files that the user may see and, with the function's permission, download."""
        return self._reachable_by(user, levels=None)

    def managed_by(self, user: User | AnonymousUser) -> FileRecordQuerySet:
        """Files that the user may share and delete: the owner's, and `manage` grants."""
        return self._reachable_by(user, levels=["manage"])

    def _reachable_by(
        self, user: User | AnonymousUser, *, levels: list[str] | None
    ) -> FileRecordQuerySet:
        # Anonymous users are not active either.
        if not user.is_active:
            return self.none()
        # Looked for by its place: a database that had the choice might look at all grants of a
        # file, or all of a person, and these may be many.
        grants = apps.get_model("files", "Grant").objects.live()
        grants = grants.order_by().filter(file_place=OuterRef("place"))
        if levels is not None:
            grants = grants.filter(level__in=levels)
        personal, shared = (way.values("file") for way in grants.by_way(user))
        return self.filter(Q(owner_id=user.pk) | Q(pk__in=personal) | Q(pk__in=shared))

    def newest_places(
        self, user: User | AnonymousUser, *, before: int | None = None, at_most: int
    ) -> models.QuerySet[FileRecord, int]:
        """The places of the newest files of `visible_to`, the newest first; before that place.

        Made of one piece for each way to a file, and every piece is an index read in its order:
        however many files there are, and whoever's, no more is read than asked for. It makes lists
        quick and never decides: whoever lists asks `visible_to` about what this proposes.
        """
        if not user.is_active:
            return self.none().values_list("place", flat=True)
        live = apps.get_model("files", "Grant").objects.live()
        groups = list(user.groups.values_list("pk", flat=True))
        ways = [live.filter(user_id=user.pk)]
        ways += [live.filter(group_id=group) for group in groups[:MERGED_GROUPS]]
        if others := groups[MERGED_GROUPS:]:
            ways.append(live.filter(group_id__in=others))
        owned = self.filter(owner_id=user.pk).values_list("place", flat=True)
        pieces = [owned.order_by(), *(_places_of(way) for way in ways)]
        if before is not None:
            pieces = [piece.filter(place__lt=before) for piece in pieces]
        if connections[self.db].features.supports_slicing_ordering_in_compound:
            # SQLite, which cannot, merges the pieces as their indexes have them, and stops itself.
            pieces = [piece.order_by("-place")[:at_most] for piece in pieces]
        return pieces[0].union(*pieces[1:]).order_by("-place")[:at_most]


def _places_of(grants: GrantQuerySet) -> models.QuerySet[Any, int]:
    return grants.order_by().annotate(place=F("file_place")).values_list("place", flat=True)


@dataclass(frozen=True, slots=True)
class Access:
    """Why a user may reach a file: as its owner, or by the widest of the live grants."""

    is_owner: bool
    level: str
    until: datetime | None = None
    via: str = ""
    grant_id: int | None = None

    @property
    def may_manage(self) -> bool:
        """Whether it reaches as far as `managed_by`."""
        return self.is_owner or self.level == "manage"


def access_of(user: User, record: FileRecord) -> Access | None:
    """Explain `visible_to` for one file; None where the user cannot see it. One query at most."""
    if not user.is_active:
        return None
    if record.owner_id == user.pk:
        return Access(is_owner=True, level="owner")
    live = apps.get_model("files", "Grant").objects.live().filter(file_place=record.place)
    personal, shared = live.order_by().select_related("group").by_way(user)
    found = personal.union(shared, all=True)
    grants: list[Grant] = [grant for grant in found if grant.file_id == record.pk]
    if not grants:
        return None

    def width(grant: Grant) -> tuple[bool, bool, float]:
        until = grant.expires_at.timestamp() if grant.expires_at else 0.0
        return grant.level == "manage", grant.expires_at is None, until

    best = max(grants, key=width)
    via = best.recipient_name if best.group_id else ""
    return Access(False, best.level, best.expires_at, via, best.pk)


_TO_MANAGE = {
    "files.change_filerecord",
    "files.delete_filerecord",
    Permission.SHARE,
    Permission.SHARE_OWN,
}


class FileBackend(BaseBackend):
    """`user.has_perm("files.download_filerecord", record)`: the same answer as the querysets.

    Django asks no backend for an active superuser, and answers yes: `accounts.User.has_perm`
    sends every question about one file here alone.
    """

    def has_perm(
        self, user_obj: AbstractBaseUser | AnonymousUser, perm: str, obj: Any = None
    ) -> bool:
        model = apps.get_model("files", "FileRecord")
        if not isinstance(obj, model):
            return False
        user: Any = user_obj
        files = model.objects.filter(pk=obj.pk)
        if perm in {Permission.DOWNLOAD, "files.view_filerecord"}:
            reachable = files.visible_to(user)
        elif perm in _TO_MANAGE:
            reachable = files.managed_by(user)
        else:
            return False
        if perm in set(Permission) and not user.has_perm(perm):
            return False
        return reachable.exists()
