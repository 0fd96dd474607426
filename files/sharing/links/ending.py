"""Ends a link: by who made it or manages what it leads to, and by time.

Never ends one twice: each has one event of its end.
"""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from audit import Event
from files.access.explaining import access_of
from files.access.principals import Person
from files.models import Link
from files.sharing.links.events import record


def may_end(link: Link, actor: User) -> bool:
    """Whether somebody may end it: who made it, and who manages what it leads to."""
    if link.maker_id == actor.pk:
        return True
    found = access_of(Person(actor), link.target) if link.target else None
    return found is not None and found.may_manage


def end(link: Link, *, actor: User) -> bool:
    """End a link as who made it or manages what it is to. False where it was ended before.

    Raises ValidationError where that is not theirs to do.
    """
    if not may_end(link, actor):
        raise ValidationError(_("This is not yours to stop: ask its owner or an administrator."))
    return revoke(link, actor=actor)


def revoke(link: Link, *, actor: User) -> bool:
    """End a link now; who may is the callers' to ask. False where it was ended before."""
    with transaction.atomic():
        now = timezone.now()
        open_now = Link.objects.filter(pk=link.pk, revoked_at=None)
        if not open_now.update(revoked_at=now, revoked_by=actor, ended_at=now):
            return False
        record(Event.LINK_REVOKED, link, actor=actor)
    return True


def note_ended(*, now: datetime, at_most: int = 1000) -> int:
    """Record of links that they are over by time, once for each; how many there were."""
    over = Link.objects.filter(expires_at__lte=now, ended_at=None).order_by("pk")[:at_most]
    ended = 0
    for link in list(over):
        with transaction.atomic():
            if Link.objects.filter(pk=link.pk, ended_at=None).update(ended_at=now):
                record(Event.LINK_ENDED, link)
                ended += 1
    return ended
