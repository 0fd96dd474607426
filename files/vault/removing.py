"""Removing a file: gone for everybody at once, and from the store right after, or by a sweep.

Must never delete an object whose row does not say `doomed`.
"""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.db.models import QuerySet

import audit
from accounts.models import User
from audit import Event
from files.models import FileRecord, StoredObject
from files.records.clock import Now
from files.vault.stored_objects import storage

State = StoredObject.State


def remove(record: FileRecord, *, actor: User) -> None:
    """Delete a file: gone for everybody at once, and from the store right after, or by a sweep."""
    with transaction.atomic():
        gone, _ = FileRecord.objects.filter(pk=record.pk).delete()
        if not gone:
            return  # Somebody else was faster.
        # Every encryption there is: a re-encryption may have changed the current one meanwhile.
        # One that is still being written is left to the sweep, for its writer is still at it.
        rows = StoredObject.objects.filter(file_id=record.pk)
        complete = list(rows.exclude(state=State.WRITING))
        doom(rows.exclude(state=State.DOOMED))
        audit.record(Event.FILE_DELETED, actor=actor, file_id=record.pk, size=record.size)
        for row in complete:
            # The admin deletes inside a transaction of its own: nothing is lost before that stands.
            transaction.on_commit(partial(purge, row), robust=True)


def doom(rows: QuerySet[StoredObject]) -> int:
    """Mark objects to be deleted; what was known of their content goes at once."""
    return rows.update(state=State.DOOMED, state_changed_at=Now(), chain=None, digest=None)


def purge(row: StoredObject) -> bool:
    """Delete a doomed object and then its row; whether nothing is left."""
    if not storage().discard(row.object_name, row.multipart_id):
        return False
    StoredObject.objects.filter(pk=row.pk, state=State.DOOMED).delete()
    return True
