"""From where a person has signed in before: what is new is told, what is familiar is not.

Of browsers and addresses only digests are kept, and each for as long as it was seen within a year.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from django.utils import timezone

from notices.models import Familiar

KEPT: Final = timedelta(days=365)


def note(user_id: int, *things: str) -> bool:
    """Note what a sign-in came with; whether any of it is new, and not all there is the first."""
    now = timezone.now()
    digests = {_digest(user_id, thing) for thing in things}
    known = Familiar.objects.filter(user=user_id, digest__in=digests)
    if known.update(seen_at=now) == len(digests):
        return False
    had_any = Familiar.objects.filter(user=user_id).exists()
    Familiar.objects.bulk_create(
        [Familiar(user_id=user_id, digest=digest, seen_at=now) for digest in digests],
        ignore_conflicts=True,
    )
    return had_any


def _digest(user_id: int, thing: str) -> str:
    return hashlib.sha256(f"securestore/familiar/1\0{user_id}\0{thing}".encode()).hexdigest()
