"""What people asked for and did not get: the use case behind every 404 and 403 of a file or upload.

A file that is not theirs and one that does not exist are recorded alike, by the same queries, so
that nothing of the answer tells them apart; the event says which it was, to those who may read the
log. Of one person's attempts only so many an hour are recorded: no script fills the log.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

import audit
from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.models import FileRecord, Folder, UploadSession
from runtime.statements import ID, IDS, NUMBER, statement

NOT_VISIBLE: Final = "not visible"
NO_PERMISSION: Final = "no permission"

PER_HOUR = 60
"""Attempts of one person that are recorded within an hour."""

AT_ONCE = 10
"""Files of one request that are recorded, at most."""

DENIED = (Event.DOWNLOAD_DENIED, Event.ACCESS_DENIED)
DOWNLOADS = frozenset(
    {
        *("files:download", "files:download_several", "files:unlock", "folders:zip"),
        *("api:content", "api:folder_content", "api:file_content", "api:version_content"),
    }
)


def note(user: User, wanted: Collection[UUID], *, reason: str, door: str) -> None:
    """Record that the user was refused these files at that door, which is the name of its route."""
    event = Event.DOWNLOAD_DENIED if door in DOWNLOADS else Event.ACCESS_DENIED
    left = _left(user)
    chosen = sorted(wanted)[:AT_ONCE]
    existing = set(_existing_files(ids=chosen)) if chosen else set()
    for file_id in chosen[: max(left, 0)]:
        left -= 1
        audit.record(
            event,
            actor=user,
            file_id=file_id,
            reason=reason,
            door=door,
            exists=file_id in existing,
            files=len(wanted),
            # More may follow, and will not be here.
            last_of_this_hour=None if left else True,
        )


def note_folder(user: User, folder_id: UUID, *, reason: str, door: str) -> None:
    """Record that the user was refused that folder at that door."""
    left = _left(user)
    exists = bool(_existing_folders(folder=folder_id))
    if left > 0:
        audit.record(
            Event.DOWNLOAD_DENIED if door in DOWNLOADS else Event.ACCESS_DENIED,
            actor=user,
            reason=reason,
            door=door,
            folder_id=folder_id,
            exists=exists,
            last_of_this_hour=True if left == 1 else None,
        )


def note_upload(user: User, upload_id: UUID) -> None:
    """Record that the user asked for an upload that is not theirs, or that does not exist."""
    left = _left(user)
    exists = UploadSession.objects.filter(pk=upload_id).exists()
    if left > 0:
        audit.record(
            Event.ACCESS_DENIED,
            actor=user,
            reason=NOT_VISIBLE,
            door="upload",
            upload=upload_id,
            exists=exists,
            last_of_this_hour=True if left == 1 else None,
        )


def _left(user: User) -> int:
    """How many more may be recorded within the hour. Looks at the user's last events alone."""
    since = timezone.now() - timedelta(hours=1)
    rows = _last_events(user=user.pk, at_most=2 * PER_HOUR)
    return PER_HOUR - sum(event in DENIED and at > since for event, at in rows)


@statement(user=NUMBER)
def _last_events(user: Any, at_most: int) -> QuerySet[Any, tuple[str, datetime]]:
    last = AuditEvent.objects.filter(actor_id=user).order_by("-id")
    return last.values_list("event", "at")[:at_most]


@statement(ids=IDS)
def _existing_files(ids: Any) -> QuerySet[Any, UUID]:
    return FileRecord.objects.order_by().filter(pk__in=ids).values_list("pk", flat=True)


@statement(folder=ID)
def _existing_folders(folder: Any) -> QuerySet[Any, UUID]:
    return Folder.objects.order_by().filter(pk=folder).values_list("pk", flat=True)
