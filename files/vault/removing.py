"""Removing for good: gone for everybody at once, and from the store right after, or by a sweep.

The wrapped key is overwritten in the transaction that ends it: whatever becomes of the object,
nobody opens it any more. Must never delete an object whose row does not say `doomed`, nor end a
byte that `purging.may_purge` was not asked about.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

import audit
from accounts.models import User
from audit import Event
from files.access.principals import Principal
from files.models import FileRecord, HeldKey, StoredObject
from files.vault.purging import Ending, backups_until, may_purge
from files.vault.stored_objects import storage
from runtime import clock
from runtime.clock import Now

State = StoredObject.State

UPLOADED = Q(state=State.WRITING, reencrypts=False)
"""Versions that are being uploaded: they outlive their file, and become one of their own."""


def remove(
    record: FileRecord,
    *,
    actor: User | None,
    ending: Ending = Ending.ADMINISTERED,
    by: Principal | None = None,
    now: datetime | None = None,
    **details: Any,
) -> bool:
    """Delete a file with its former versions, for good; False where that may not be, or was done.

    A version of it that is being uploaded goes on, and will be a file of its own.
    """
    with transaction.atomic():
        found = FileRecord.objects.select_for_update(of=("self",)).filter(pk=record.pk).first()
        if found is None or not may_purge(found, ending, by=by, now=now):
            return False  # Somebody else was faster; or it was brought back.
        versions = found.versions.count()
        # Every encryption there is: a re-encryption may have changed the current one meanwhile.
        # One that is still being written is left to the sweep, for its writer is still at it.
        rows = StoredObject.objects.filter(file_id=record.pk).exclude(UPLOADED)
        complete = list(rows.exclude(state=State.WRITING))
        found.delete()
        doom(rows.exclude(state=State.DOOMED))
        audit.record(
            Event.FILE_DELETED,
            actor=actor,
            file_id=record.pk,
            size=found.size,
            backups_until=backups_until(clock.now()),
            **({"versions": versions} if versions else {}),
            **details,
        )
        for row in complete:
            # The admin deletes inside a transaction of its own: nothing is lost before that stands.
            transaction.on_commit(partial(purge, row), robust=True)
    return True


def doom(rows: QuerySet[StoredObject]) -> int:
    """Mark objects to be deleted; their keys, and what was known of their content, go at once."""
    HeldKey.objects.filter(object__in=rows.values("pk"), offered__isnull=False).update(
        offered=None, offered_master_key_id=""
    )
    return rows.update(
        state=State.DOOMED, state_changed_at=Now(), wrapped_key=b"", chain=None, digest=None
    )


def purge(row: StoredObject) -> bool:
    """Delete a doomed object and then its row; whether nothing is left."""
    if not storage().discard(row.object_name, row.multipart_id):
        return False
    StoredObject.objects.filter(pk=row.pk, state=State.DOOMED).delete()
    return True
