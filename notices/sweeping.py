"""What nobody needs to keep: mails that are done, notices that are old, what is nobody's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from notices import familiar
from notices.models import Choice, Familiar, Mail, Notice

DONE_FOR: Final = timedelta(days=7)
"""How long a mail that was sent stays, with its receiver: whoever missed it can be answered."""

GIVEN_UP_FOR: Final = timedelta(days=30)

TOLD_FOR: Final = timedelta(days=90)

BATCH: Final = 5000


def sweep(now: datetime, *, dry_run: bool = False) -> tuple[int, int]:
    """Delete what is over; how many mails and how many notices that were, or would be."""
    done = Q(sent_at__lte=now - DONE_FOR) | Q(ended_at__lte=now - GIVEN_UP_FOR)
    mails = Mail.objects.filter(done)
    old = Q(at__lte=now - TOLD_FOR) & (Q(by_mail=False) | Q(mailed_at__isnull=False))
    notices = Notice.objects.filter(old | ~_somebodys())
    if dry_run:
        return mails.count(), notices.count()
    Familiar.objects.filter(seen_at__lte=now - familiar.KEPT).delete()
    for model in (Choice, Familiar):
        model._default_manager.filter(~_somebodys()).delete()
    return _delete(mails), _delete(notices)


def _somebodys() -> Exists:
    return Exists(get_user_model()._default_manager.filter(pk=OuterRef("user")))


def _delete(rows: QuerySet[Any, Any]) -> int:
    """In batches: nobody waits for a large one."""
    model: type[Model] = rows.model
    deleted = 0
    while pks := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        model._default_manager.filter(pk__in=pks).delete()
        deleted += len(pks)
    return deleted
