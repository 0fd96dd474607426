"""Telling people: a notice for each, as they chose to hear of its kind.

Called by use cases in their own transaction, beside the event of the log. Takes no lock and waits
for nobody: what becomes a mail is decided when mails are written (`notices.digests`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from notices.kinds import MANNERS, Kind, Manner
from notices.models import Choice, Notice


@dataclass(frozen=True, slots=True)
class About:
    """One thing that one person is told."""

    person: int
    file_id: UUID | None = None
    folder_id: UUID | None = None
    path: str = ""
    details: Mapping[str, str | int] = field(default_factory=dict)
    once: str = ""


LONGEST_VALUE = 60
"""Characters of a value of `details`: a number, an id, a level. No name, and nothing to be read."""


def notify(
    kind: Kind,
    people: Iterable[int],
    *,
    file_id: UUID | None = None,
    folder_id: UUID | None = None,
    path: str = "",
    actor_id: int | None = None,
    details: Mapping[str, str | int] | None = None,
    once: str = "",
    mailed: bool = False,
) -> int:
    """Tell people of something; how many notices are made.

    `path` is where the notice leads if not to the file or folder. `once` is told once to each
    person. `mailed`: a mail of its own tells of it. Raises ValueError for details that are too
    long to be none.
    """
    said = dict(details or {})
    told = (About(one, file_id, folder_id, path, said, once) for one in sorted(set(people)))
    return notify_each(kind, told, actor_id=actor_id, mailed=mailed)


def notify_each(
    kind: Kind, told: Iterable[About], *, actor_id: int | None = None, mailed: bool = False
) -> int:
    """Tell each person what is meant for them, by two queries; how many notices are made."""
    rows = list(told)
    chosen = choices(kind, {one.person for one in rows}) if rows else {}
    made = []
    for one in rows:
        _refuse_words(one.details)
        in_app, by_mail = chosen[one.person]
        by_mail = by_mail and not mailed
        if in_app or by_mail:
            made.append(
                Notice(
                    user_id=one.person,
                    kind=kind,
                    file_id=one.file_id,
                    folder_id=one.folder_id,
                    path=one.path,
                    actor_id=actor_id,
                    details=dict(one.details),
                    once=one.once,
                    in_app=in_app,
                    by_mail=by_mail,
                )
            )
    if made:
        # A conflict is what was told once already.
        once = any(row.once for row in made)
        Notice.objects.bulk_create(made, ignore_conflicts=once)
    return len(made)


def untold(told: Collection[About]) -> list[About]:
    """Those of them that their person was not told yet, by what is told once. One query."""
    keys = {one.once for one in told}
    there = set(Notice.objects.filter(once__in=keys).values_list("user", "once")) if keys else set()
    return [one for one in told if (one.person, one.once) not in there]


def _refuse_words(details: Mapping[str, str | int]) -> None:
    for name, value in details.items():
        if len(str(value)) > LONGEST_VALUE:
            raise ValueError(f"{name} is too long for a detail")


def wishing(kind: Kind, people: QuerySet[Any]) -> list[int]:
    """Those of these people who chose to hear of a kind that nobody hears of otherwise."""
    chosen = Choice.objects.filter(kind=kind, user__in=people)
    return list(chosen.filter(Q(in_app=True) | Q(by_mail=True)).values_list("user", flat=True))


def choices(kind: Kind, people: Iterable[int]) -> dict[int, tuple[bool, bool]]:
    """For each person whether they hear of a kind in the application, and by mail."""
    manner = MANNERS[kind]
    found = dict.fromkeys(people, (manner.in_app, manner.by_mail))
    for chosen in Choice.objects.filter(kind=kind, user__in=list(found)):
        found[chosen.user_id] = settled(manner, chosen)
    return found


def settled(manner: Manner, chosen: Choice | None) -> tuple[bool, bool]:
    """What a choice comes to: in the application, and by mail."""
    in_app = chosen.in_app if chosen and chosen.in_app is not None else manner.in_app
    by_mail = chosen.by_mail if chosen and chosen.by_mail is not None else manner.by_mail
    return in_app, by_mail or manner.always_mailed
