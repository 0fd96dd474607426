"""Granting and revoking: the use cases behind every door that changes who may read a file.

Each is one transaction with its audit event. Nothing here reads or writes content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

import audit
from audit import Event
from files.access import access_of
from files.models import Grant

if TYPE_CHECKING:
    from accounts.models import User


def grant(new: Grant, *, actor: User) -> Grant:
    """Save a new grant. Raises ValidationError when it breaks a rule of the model.

    Granting oneself access is allowed, and is recorded as such.
    """
    new.granted_by = actor
    new.full_clean()
    own_group = new.group_id is not None and actor.groups.filter(pk=new.group_id).exists()
    event = Event.SELF_GRANTED if new.user_id == actor.pk or own_group else Event.GRANT_CREATED
    with transaction.atomic():
        new.save()
        _record(event, new, actor)
    return new


def share(new: Grant, *, actor: User) -> Grant:
    """Grant as somebody who may manage the file, and no further than their own access reaches.

    Raises ValidationError, also where the grant would outlast the one that it rests on.
    """
    access = access_of(actor, new.file)
    if access is None or access.level not in {"owner", Grant.Level.MANAGE}:
        raise ValidationError("You may no longer share this file.")
    if access.until is not None and (new.expires_at is None or new.expires_at > access.until):
        raise ValidationError(
            f"Your own access ends on {date_format(localtime(access.until), 'DATETIME_FORMAT')}: "
            "choose an earlier end."
        )
    return grant(new, actor=actor)


def change(changed: Grant, *, actor: User) -> Grant:
    """Save an edited grant. Raises ValidationError."""
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
