"""What a person wants to hear of, in the application and by mail."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db import transaction

from notices.kinds import MANNERS, Kind
from notices.models import Choice
from notices.telling import settled


@dataclass(frozen=True, slots=True)
class Line:
    """One kind, as its switches show it."""

    kind: Kind
    in_app: bool
    by_mail: bool
    always_mailed: bool


def kinds_for(*, administrator: bool) -> Iterator[Kind]:
    """The kinds that a person may hear of."""
    return (kind for kind in Kind if administrator or not MANNERS[kind].for_administrators)


def table_of(user_id: int, *, administrator: bool) -> list[Line]:
    """The switches of a person. One query."""
    chosen = {one.kind: one for one in Choice.objects.filter(user=user_id)}
    lines = []
    for kind in kinds_for(administrator=administrator):
        in_app, by_mail = settled(MANNERS[kind], chosen.get(kind))
        lines.append(Line(kind, in_app, by_mail, MANNERS[kind].always_mailed))
    return lines


def choose(
    user_id: int, *, in_app: Collection[str], by_mail: Collection[str], administrator: bool
) -> None:
    """Switch on what is named, and all else off."""
    with transaction.atomic():
        for kind in kinds_for(administrator=administrator):
            Choice.objects.update_or_create(
                user_id=user_id,
                kind=kind,
                defaults={"in_app": kind.value in in_app, "by_mail": kind.value in by_mail},
            )
