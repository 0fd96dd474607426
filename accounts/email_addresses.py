"""Records changes of e-mail addresses, whichever door they came through.

Mail to an address resets a password: who changes one may become its owner. What the account itself
has for an address, `User.save` records. Rows, not allauth's own signals: these come too when an
administrator changes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

import audit

# allauth saves outside of any transaction: so row and event stand together, or neither.
EmailAddress.save = transaction.atomic(EmailAddress.save)


@receiver(pre_save, sender=EmailAddress)
def note_former(instance: EmailAddress, **_kwargs: Any) -> None:
    """Remember what the row was, for the event that follows."""
    former = EmailAddress.objects.filter(pk=instance.pk) if instance.pk else None
    instance.former = former and former.first()


@receiver(post_save, sender=EmailAddress)
def record_saved(instance: EmailAddress, **_kwargs: Any) -> None:
    """One event for what changed; none where the account had this address already."""
    former: EmailAddress | None = instance.former
    if changes := ", ".join(_changes(former, instance)):
        renamed = former is not None and former.email != instance.email
        _record(instance, changes, previous=former.email if former and renamed else None)


def _changes(former: EmailAddress | None, row: EmailAddress) -> Iterator[str]:
    if former is None:
        # allauth makes rows of the addresses of old accounts as it meets them.
        if row.verified or row.email.lower() != row.user.email.lower():
            yield "added"
        return
    if row.email != former.email:
        yield "changed"
    if row.verified != former.verified:
        yield "confirmed" if row.verified else "unconfirmed"
    if row.primary != former.primary:
        yield "made primary" if row.primary else "no longer primary"


@receiver(post_delete, sender=EmailAddress)
def record_removed(instance: EmailAddress, **_kwargs: Any) -> None:
    _record(instance, "removed")


def _record(row: EmailAddress, change: str, *, previous: str | None = None) -> None:
    audit.record(
        audit.Event.EMAIL_CHANGED,
        user_id=row.user_id,
        change=change,
        email=row.email,
        previous=previous,
        confirmed=row.verified,
        primary=row.primary,
    )
