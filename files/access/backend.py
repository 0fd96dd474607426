"""The rule for Django's question `user.has_perm(permission, file)`.

Must never answer otherwise than the querysets of `rule`.
"""

from __future__ import annotations

from collections.abc import Callable
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
from files.access.statements import reaches
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
        part = _part_for(perm, obj)
        if part is None:
            return False
        if perm in set(Permission) and not user.has_perm(perm):
            return False
        return reaches(part, Person(user), obj.pk)


def _part_for(perm: str, obj: Any) -> Callable[[Principal], QuerySet[Any]] | None:
    """The part of the rule for that permission and what `obj` is; None where there is none."""
    if isinstance(obj, FileRecord):
        if perm in {Permission.DOWNLOAD, "files.view_filerecord"}:
            return visible_to
        return managed_by if perm in _TO_MANAGE else None
    if isinstance(obj, Folder):
        if perm in {Permission.DOWNLOAD, "files.view_folder"}:
            return folders_visible_to
        if perm in {Permission.UPLOAD, "files.add_folder"}:
            return addable_by
        may_manage = {"files.change_folder", "files.delete_folder"}
        if perm in {Permission.SHARE, Permission.SHARE_OWN, *may_manage}:
            return folders_managed_by
    return None
