"""The group "Members": people who may upload files and download those granted to them."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet

NAME = "Members"
PERMISSIONS = ("add_filerecord", "download_filerecord")
SHARING = "share_filerecord"


def ensure_members_group() -> Group:
    """Make the group if it is missing and give it its permissions. Safe to run again.

    Permissions that an administrator added stay. Raises `RuntimeError` before the files app is
    migrated, since its permissions do not exist until then.
    """
    with transaction.atomic():
        group, _created = Group.objects.get_or_create(name=NAME)
        permissions = Permission.objects.filter(
            content_type__app_label="files", codename__in=PERMISSIONS
        )
        if len(permissions) != len(PERMISSIONS):
            raise RuntimeError("The permissions of the files app are missing: run `migrate` first.")
        group.permissions.add(*permissions)
    return group


def may_share() -> bool:
    """Whether members may share what they own; not before an administrator says so."""
    return Group.objects.filter(name=NAME, permissions__in=_sharing()).exists()


def let_share(*, on: bool) -> None:
    """Decide whether members may share what they own. The group's change is an event."""
    with transaction.atomic():
        given = ensure_members_group().permissions
        if on:
            given.add(*_sharing())
        else:
            given.remove(*_sharing())


def _sharing() -> QuerySet[Permission]:
    return Permission.objects.filter(content_type__app_label="files", codename=SHARING)
