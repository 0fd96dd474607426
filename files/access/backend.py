"""The rule for Django's question `user.has_perm(permission, file)`.

Must never answer otherwise than the querysets of `rule`.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from files.access.permissions import Permission
from files.access.principals import Person, Principal
from files.access.rule import (
    addable_by,
    folders_managed_by,
    folders_visible_to,
    managed_by,
    visible_to,
)
from files.models import FileRecord, Folder

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
        user: Any = user_obj
        reachable = _reachable_for(perm, Person(user), obj)
        if reachable is None:
            return False
        if perm in set(Permission) and not user.has_perm(perm):
            return False
        return reachable.filter(pk=obj.pk).exists()


def _reachable_for(perm: str, who: Principal, obj: Any) -> QuerySet[Any] | None:
    """What the permission may be used on, of the kind that `obj` is; None where that is nothing."""
    if isinstance(obj, FileRecord):
        if perm in {Permission.DOWNLOAD, "files.view_filerecord"}:
            return visible_to(who)
        return managed_by(who) if perm in _TO_MANAGE else None
    if isinstance(obj, Folder):
        if perm in {Permission.DOWNLOAD, "files.view_folder"}:
            return folders_visible_to(who)
        if perm in {Permission.UPLOAD, "files.add_folder"}:
            return addable_by(who)
        may_manage = {"files.change_folder", "files.delete_folder"}
        if perm in {Permission.SHARE, Permission.SHARE_OWN, *may_manage}:
            return folders_managed_by(who)
    return None
