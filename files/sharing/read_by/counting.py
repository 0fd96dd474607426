"""What counts as having read, by the audit log and what is under way; and a page of people by it.

Must never name somebody to who may not know of them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL

from accounts.models import User
from audit.models import AuditEvent
from files.access.permissions import may_share
from files.models import DownloadSession, Item
from files.sharing import effective_access
from files.sharing.read_by.answers import Line, Read, Readers, State

MOST_FORMER: Final = 50
"""Former readers that are named, those who read it last."""

_FURTHER: Final = list(State)


def joined(read: Read | None, begun: datetime, seen: datetime, state: State) -> Read:
    """What was read before, and what is being read now."""
    if read is None:
        return Read(begun, seen, state=state)
    return replace(
        read,
        first=min(read.first, begun),
        last=max(read.last, seen),
        times=read.times + 1,
        state=max(read.state, state, key=_FURTHER.index),
    )


def reads() -> QuerySet[AuditEvent]:
    """The events that count. The name stands in the statement itself: SQLite uses an index of some
    rows only where it can see that these are meant."""
    downloads = AuditEvent.objects.filter(event=RawSQL("'file_downloaded'", ()))
    return downloads.filter(Q(data__outcome="complete") | Q(data__bytes__gt=0)).order_by()


def under_way() -> QuerySet[DownloadSession]:
    """What is being sent, and has no event yet."""
    return DownloadSession.objects.filter(settled=False, bytes__gt=0).order_by()


def actors(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The numbers of the people in these rows."""
    return rows.filter(actor_id__isnull=False).values("actor_id")


def rank(*ranks: tuple[int, Q]) -> Case:
    """How far each person has read, for the order of a page: the rank of the first that holds."""
    cases = (When(which, then=Value(rank)) for rank, which in ranks)
    return Case(*cases, default=Value(0), output_field=IntegerField())


def position_of(after: str) -> tuple[int, str] | None:
    """Where a page ended: a rank, and what comes after it; None where it makes no sense."""
    rank, point, rest = after.replace("\0", "").partition(".")
    return (int(rank), rest) if point and rank in {"0", "1", "2"} else None


def named(people: Any, item: Item, asker: User) -> Any:
    """Of these the ones whose names `asker` may know; `rank` says how far each has read."""
    if may_share(asker):
        return people
    in_person = effective_access.in_person(item).values("pk")
    return people.filter(Q(pk__in=in_person) | Q(rank__gt=0))


def page_of(
    people: Any, item: Item, asker: User, after: str, length: int, *, read_from: int
) -> Readers:
    """A page of people, those who have read least first, without what each has read."""
    counted: Any = people.aggregate(
        people=Count("pk"), read=Count("pk", filter=Q(rank__gte=read_from))
    )
    told = named(people, item, asker)
    unnamed = 0 if told is people else counted["people"] - told.count()
    if (begin := position_of(after)) is not None:
        rank, name = begin
        told = told.filter(Q(rank__gt=rank) | Q(rank=rank, username__gt=name))
    found: list[Any] = list(told.order_by("rank", "username")[: length + 1])
    shown = found[:length]
    last = shown[-1] if len(found) > length else None
    return Readers(
        lines=[Line(user, None, is_owner=user.pk == item.owner_id) for user in shown],
        next=f"{last.rank}.{last.username}" if last else "",
        people=counted["people"],
        have_read=counted["read"],
        unnamed=unnamed,
    )
