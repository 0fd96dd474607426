"""Granting and revoking: the use cases behind every door that changes who may read a file.

Each is one transaction with its audit event. Nothing here reads or writes content.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

import audit
from audit import Event
from files.access import Access, Permission, access_of
from files.models import FileRecord, Grant
from files.names import clean_line

if TYPE_CHECKING:
    from django.contrib.auth.models import Group

    from accounts.models import User


def grant(new: Grant, *, actor: User) -> Grant:
    """Save a new grant. Raises ValidationError when it breaks a rule of the model.

    Granting oneself access is allowed, and is recorded as such.
    """
    new.granted_by = actor
    new.reason = clean_line(new.reason)
    new.full_clean()
    own_groups = set(actor.groups.values_list("pk", flat=True))
    with transaction.atomic():
        new.save()
        _record_new(new, actor, own_groups)
    return new


def _record_new(new: Grant, actor: User, own_groups: Collection[int]) -> None:
    to_self = new.user_id == actor.pk or new.group_id in own_groups
    _record(Event.SELF_GRANTED if to_self else Event.GRANT_CREATED, new, actor)


@dataclass(frozen=True)
class Granted:
    """What one step of `grant_many` did."""

    made: int
    skipped: int


def grant_many(
    records: Collection[FileRecord],
    recipients: Collection[User | Group],
    *,
    level: str,
    starts_at: datetime | None,
    expires_at: datetime | None,
    reason: str,
    actor: User,
) -> Granted:
    """Grant every one of these files to every recipient: all of it, or nothing.

    Skipped is who has the same already: that level until that end, live now or from that start.
    Raises ValidationError when a grant breaks a rule, or a file is gone.
    """
    with transaction.atomic():
        # Two such steps at once would make the same grants twice.
        locked = FileRecord.objects.select_for_update().filter(pk__in=[one.pk for one in records])
        found = list(locked.order_by("pk"))
        if len(found) < len(records):
            raise ValidationError("Some of these files were deleted meanwhile: choose again.")
        same = Grant.objects.filter(file__in=found, level=level, expires_at=expires_at)
        there = same.live() | same.filter(starts_at=starts_at, revoked_at=None)
        have = set(there.values_list("file_id", "user_id", "group_id"))
        new, reason = [], clean_line(reason)
        for record, to in product(found, recipients):
            ids = (to.pk, None) if isinstance(to, get_user_model()) else (None, to.pk)
            if (record.pk, *ids) not in have:
                one = Grant(
                    file=record,
                    user_id=ids[0],
                    group_id=ids[1],
                    level=level,
                    starts_at=starts_at,
                    expires_at=expires_at,
                    reason=reason,
                    granted_by=actor,
                )
                if record == found[0]:
                    one.full_clean()  # The terms are the same for every file.
                new.append(one)
        own_groups = set(actor.groups.values_list("pk", flat=True))
        for one in Grant.objects.bulk_create(new):
            _record_new(one, actor, own_groups)
    return Granted(len(new), len(found) * len(recipients) - len(new))


def share(new: Grant, *, actor: User) -> Grant:
    """Grant as somebody who may manage the file, and no further than their own access reaches.

    Raises ValidationError, also where the grant would outlast the one that it rests on.
    """
    with transaction.atomic():
        access = access_of(actor, new.file)
        if access is None or not access.may_manage or not actor.has_perm(Permission.SHARE):
            raise ValidationError("You may no longer share this file.")
        if new.user_id == new.file.owner_id:
            raise ValidationError("That person owns the file.")
        if new.user_id == actor.pk:
            # In person it would outlive what it rests on, such as being in a group.
            raise ValidationError("You cannot share a file with yourself.")
        if access.until is not None and (new.expires_at is None or new.expires_at > access.until):
            raise ValidationError(
                f"Your own access ends on {date_format(localtime(access.until), 'j M Y, H:i')}"
                ": choose an earlier end."
            )
        return grant(new, actor=actor)


def may_withdraw(target: Grant, access: Access | None, *, actor: User) -> bool:
    """Whether somebody with that access to the file may revoke that grant of it.

    The owner may revoke every grant. Who manages the file through a grant may revoke every grant
    to download; of those to manage only what they gave themselves, and what they hold in person.
    So nobody can shut out who let them in, or another manager.
    """
    if access is None or not access.may_manage:
        return False
    if access.is_owner or target.level != Grant.Level.MANAGE:
        return True
    return actor.pk in {target.granted_by_id, target.user_id}


def withdraw(target: Grant, *, actor: User) -> bool:
    """Revoke as somebody who may manage the file. False where it was revoked before.

    Raises ValidationError where that is not theirs to do.
    """
    with transaction.atomic():
        if not may_withdraw(target, access_of(actor, target.file), actor=actor):
            raise ValidationError(
                "This grant is not yours to revoke: ask the owner of the file or an administrator."
            )
        return revoke(target, actor=actor)


def given_by(user_id: int | None, record: FileRecord) -> int:
    """How many live grants of the file that person gave to others."""
    if user_id is None:
        return 0
    return record.grants.live().filter(granted_by=user_id).exclude(user=user_id).count()


def change(changed: Grant, *, actor: User) -> Grant:
    """Save an edited grant. Raises ValidationError."""
    changed.reason = clean_line(changed.reason)
    changed.full_clean()
    with transaction.atomic():
        changed.save()
        _record(Event.GRANT_CHANGED, changed, actor)
    return changed


def revoke(target: Grant, *, actor: User) -> bool:
    """End a grant now; the row stays as history. False where it was revoked before."""
    with transaction.atomic():
        changed = Grant.objects.filter(pk=target.pk, revoked_at=None).update(
            revoked_at=timezone.now(), revoked_by=actor
        )
        if changed:
            _record(Event.GRANT_REVOKED, target, actor)
    return bool(changed)


def _record(event: Event, subject: Grant, actor: User) -> None:
    audit.record(
        event,
        actor=actor,
        file_id=subject.file_id,
        grant_id=subject.pk,
        level=subject.level,
        user_id=subject.user_id,
        group_id=subject.group_id,
        starts_at=subject.starts_at,
        expires_at=subject.expires_at,
    )
