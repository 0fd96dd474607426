"""Whether bytes may end: the one question that every door asks before it takes any away for good.

Delete for good, the sweep of the trash, the pruning of versions, a re-encryption's old object: each
says why, and whether that holds is decided here, from the rows as they are in the caller's
transaction. An account that owns anything is not removed, so that it ends no bytes. Must never
touch the store.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum, auto
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from files.access.principals import Principal
from files.models import FileRecord, Folder, KeptVersion, Sender, StoredObject
from runtime import clock

Bytes = FileRecord | Folder | KeptVersion | StoredObject
"""What may end: a file with its former versions, a tree, a former version, one encryption."""


class Ending(StrEnum):
    """Why bytes are to end."""

    DELETED = auto()
    """Their owner said so, of what is in the trash, or of a former version."""
    EXPIRED = auto()
    """They were in the trash longer than TRASH_DAYS."""
    PRUNED = auto()
    """A former version beyond KEEP_VERSIONS and KEEP_VERSIONS_DAYS."""
    REENCRYPTED = auto()
    """Another encryption of the same bytes has taken the place of this one."""
    ADMINISTERED = auto()
    """An administrator who may delete files did, in the administration."""


def may_purge(
    what: Bytes, ending: Ending, *, by: Principal | None = None, now: datetime | None = None
) -> bool:
    """Whether these bytes may end for that reason, as the rows are now. `by` is who asks."""
    if isinstance(what, KeptVersion):
        return _may_end_version(what, ending, by, now or clock.now())
    if isinstance(what, StoredObject):
        return ending is Ending.REENCRYPTED and not _is_a_version(what)
    if isinstance(what, Folder) and (what.is_root or _waits(what)):
        return False
    if ending is Ending.ADMINISTERED:
        return isinstance(what, FileRecord)
    found: QuerySet[FileRecord] | QuerySet[Folder] = type(what).objects.filter(pk=what.pk)
    if ending is Ending.DELETED:
        mine = by is not None and by.user.is_active and what.owner_id == by.user.pk
        return mine and found.filter(trashed_at__isnull=False).exists()
    return ending is Ending.EXPIRED and found.filter(expired(now or clock.now())).exists()


def expired(now: datetime) -> Q:
    """Of files and folders: those that were put away longer than TRASH_DAYS ago."""
    return Q(trashed_at__lte=now - settings.TRASH_TIME)


def overdue(now: datetime) -> QuerySet[Folder]:
    """Folders that were put away longer than TRASH_DAYS ago; not those where something waits."""
    waits = Sender.objects.filter(waiting=OuterRef("pk"))
    return Folder.objects.filter(~Exists(waits), expired(now))


def _waits(folder: Folder) -> bool:
    """Whether it sleeps because what is in it was not accepted yet: that is no trash."""
    return Sender.objects.filter(waiting=folder.pk).exists()


def _is_a_version(row: StoredObject) -> bool:
    return (
        FileRecord.objects.filter(current=row.pk).exists()
        or KeptVersion.objects.filter(object=row.pk).exists()
    )


def _may_end_version(
    kept: KeptVersion, ending: Ending, by: Principal | None, now: datetime
) -> bool:
    if ending is Ending.DELETED:
        return by is not None and by.user.is_active and kept.file.owner_id == by.user.pk
    if ending is not Ending.PRUNED:
        return False
    newer = newer_than(kept.file_id, kept.superseded_at, kept.pk)
    return outlived(now).filter(pk=kept.pk).exists() and newer.count() >= settings.KEEP_VERSIONS


def newer_than(file: Any, superseded_at: Any, pk: Any) -> QuerySet[KeptVersion]:
    """Former versions of a file that are newer than one of them, given by values or by `OuterRef`s.

    In the order in which they are kept; the current version is none of them.
    """
    later = Q(superseded_at__gt=superseded_at) | Q(superseded_at=superseded_at, pk__gt=pk)
    return KeptVersion.objects.filter(later, file=file)


def outlived(now: datetime) -> QuerySet[KeptVersion]:
    """Former versions that are not younger than KEEP_VERSIONS_DAYS, whatever their number."""
    return KeptVersion.objects.filter(superseded_at__lte=now - settings.KEEP_VERSIONS_TIME)


def backups_until(now: datetime) -> str:
    """Until when a backup or an export of keys may still hold the key, for the event; a date."""
    if settings.BACKUP_TIME is None:
        return "unknown"
    until: datetime = now + settings.BACKUP_TIME
    return until.date().isoformat()
