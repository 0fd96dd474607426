"""One's own notices: how many are unread, the pages of them, and that they were read."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone

from notices.kinds import Kind
from notices.models import Notice
from notices.subjects import Told, tell
from runtime.statements import NUMBER, statement

COUNTED: Final = 100
"""Unread ones that are counted; of more it is said that there are."""

PER_PAGE: Final = 50


def _of(user_id: Any) -> QuerySet[Notice]:
    # Not those of a newer release, which nobody here can put into words.
    return Notice.objects.filter(user=user_id, in_app=True, kind__in=Kind.values)


def unread(user_id: int) -> int:
    """How many are unread, `COUNTED` at most: one query, which reads no more than these."""
    return len(_unread(user=user_id))


@statement(user=NUMBER)
def _unread(user: Any) -> QuerySet[Any, int]:
    unread = _of(user).filter(read_at=None).order_by()
    return unread.values_list("pk", flat=True)[:COUNTED]


def page(person: Any, *, before: int | None = None) -> tuple[list[Told], int | None]:
    """The newest ones, or those older than one; and the last of them where there are more."""
    rows = _of(person.pk).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    return tell(person, shown), shown[-1].pk if len(found) > PER_PAGE else None


def mark(user_id: int, notice_id: int) -> bool:
    """Note that one was read; whether it is this person's."""
    mine = _of(user_id).filter(pk=notice_id)
    return bool(mine.filter(read_at=None).update(read_at=timezone.now())) or mine.exists()


def mark_all(user_id: int, *, up_to: int) -> int:
    """Note that all were read that the reader can have seen; how many were not."""
    return _of(user_id).filter(read_at=None, id__lte=up_to).update(read_at=timezone.now())
