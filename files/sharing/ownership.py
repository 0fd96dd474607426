"""Handing files over to another owner: the use case, and what it refuses.

For administrators: a person who leaves is deactivated, and their files wait here for somebody
else. Nothing here reads or writes content. Grants of the files stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

import audit
from accounts.models import User
from audit import Event
from files.errors import QuotaExceeded, VaultError
from files.models import FileRecord
from files.vault.quota import Allowance

AT_ONCE = 500
"""Files that one step hands over at most: it is one transaction with an event for each."""


class NotTransferred(VaultError):
    """Nothing was handed over. The message says why and what to do."""


def transfer(records: Collection[FileRecord], *, to: User, actor: User) -> int:
    """Make `to` the owner of these files, all of them or none; how many were not theirs before.

    Whoever makes themselves the owner lets themselves in, and is recorded as such. Raises
    NotTransferred when the account is deactivated, or the files do not fit into its quota.
    """
    with transaction.atomic():
        # An upload reserves its room under the same lock.
        new_owner = User.objects.select_for_update().get(pk=to.pk)
        if not new_owner.is_active:
            raise NotTransferred(f"{new_owner} is deactivated: choose an active account.")
        wanted = FileRecord.objects.select_for_update().filter(
            pk__in=[record.pk for record in records]
        )
        moving = list(wanted.exclude(owner=new_owner).order_by("pk"))
        size = sum(record.size for record in moving)
        try:
            Allowance(new_owner).check_quota(size)
        except QuotaExceeded as error:
            raise NotTransferred(
                f"These files take {size} bytes, and the quota of {new_owner} leaves "
                f"{error.limit}: raise the quota, or choose fewer files."
            ) from error
        now = timezone.now()
        for record in moving:
            FileRecord.objects.filter(pk=record.pk).update(owner=new_owner, updated_at=now)
        for record in moving:
            _record(record, new_owner, actor)
    return len(moving)


def _record(record: FileRecord, new_owner: User, actor: User) -> None:
    audit.record(
        Event.OWNERSHIP_TRANSFERRED,
        actor=actor,
        file_id=record.pk,
        from_user_id=record.owner_id,
        to_user_id=new_owner.pk,
    )
    if new_owner.pk == actor.pk:
        audit.record(Event.SELF_GRANTED, actor=actor, file_id=record.pk, level="owner")
