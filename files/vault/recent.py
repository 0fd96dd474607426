"""Remembering what a person had to do with: a row for each file, with the last time and why.

`files.lists.recent` shows it. It is for convenience alone, so it never fails what it tells of.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from files.models import RecentFile
from runtime.inserting import insert_or_change

log = logging.getLogger(__name__)
Way = RecentFile.Way


def note(user_id: int, file_ids: Iterable[UUID], way: RecentFile.Way) -> None:
    """Remember that the person added or opened these files just now, or was given them.

    One statement; in the caller's transaction, where there is one.
    """
    now = timezone.now()
    rows = [RecentFile(user_id=user_id, file_id=file_id, way=way, at=now) for file_id in file_ids]
    if len(rows) == 1:
        insert_or_change(rows[0], unique=("user", "file"), change=("way", "at"))
        return
    RecentFile.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["user", "file"],
        update_fields=["way", "at"],
    )


def note_opened(user_id: int, file_id: UUID) -> None:
    """Remember that the person opened the file. Never raises: the download goes on."""
    try:
        with transaction.atomic():
            note(user_id, [file_id], Way.OPENED)
    except DatabaseError as error:
        log.warning("that file %s was opened could not be remembered: %s", file_id, error)
