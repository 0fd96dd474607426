"""The one rule of who may do what with which file.

A user sees a file when the user is active and owns it, or holds a live grant to it, in person or
through a group. Being a superuser adds nothing: content is for those who were granted it. Every
view, command and admin page that touches content fetches through `visible_to` and `managed_by`; a
second copy of the rule anywhere else is a bug.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, Q, QuerySet

from accounts.models import User
from files.models import FileRecord, Grant


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


def visible_to(user: User | AnonymousUser) -> QuerySet[FileRecord]:
    """Files that the user may see and, with the function's permission, download."""
    return _reachable_by(user, levels=None)


def managed_by(user: User | AnonymousUser) -> QuerySet[FileRecord]:
    """Files that the user may share and delete: the owner's, and `manage` grants."""
    return _reachable_by(user, levels=["manage"])


def _reachable_by(user: User | AnonymousUser, *, levels: list[str] | None) -> QuerySet[FileRecord]:
    # Anonymous users are not active either.
    if not user.is_active:
        return FileRecord.objects.none()
    # Looked for by its place: a database that had the choice might look at all grants of a
    # file, or all of a person, and these may be many.
    grants = Grant.objects.live().order_by().filter(file_place=OuterRef("place"))
    if levels is not None:
        grants = grants.filter(level__in=levels)
    personal, shared = (way.values("file") for way in grants.by_way(user))
    return FileRecord.objects.filter(Q(owner_id=user.pk) | Q(pk__in=personal) | Q(pk__in=shared))


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
    live = Grant.objects.live().filter(file_place=record.place)
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
        if not isinstance(obj, FileRecord):
            return False
        user: Any = user_obj
        if perm in {Permission.DOWNLOAD, "files.view_filerecord"}:
            reachable = visible_to(user)
        elif perm in _TO_MANAGE:
            reachable = managed_by(user)
        else:
            return False
        if perm in set(Permission) and not user.has_perm(perm):
            return False
        return reachable.filter(pk=obj.pk).exists()
