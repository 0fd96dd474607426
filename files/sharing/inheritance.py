"""The grants that something inherits from the folders above it, to be shown. Decides nothing."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from files.models import Ancestry, FileRecord, Folder, Grant

AT_MOST = 50
"""Inherited grants that are named, the newest."""


def from_above(item: FileRecord | Folder) -> list[Grant]:
    """The grants on folders above it that let somebody in, or will. One query."""
    if isinstance(item, Folder):
        above = Ancestry.objects.filter(descendant=item.pk, distance__gt=0)
    else:
        above = Ancestry.objects.filter(descendant=item.folder_id)
    lasting = Grant.objects.filter(folder__in=above.values("ancestor"), revoked_at=None).filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    )
    found = lasting.select_related("user", "group", "granted_by", "folder")
    return list(found.order_by("-created_at", "-pk")[:AT_MOST])
