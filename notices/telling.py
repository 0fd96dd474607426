"""Telling people: a notice for each, as they chose to hear of its kind.

Called by use cases in their own transaction, beside the event of the log. Takes no lock and waits
for nobody: what becomes a mail is decided when mails are written (`notices.digests`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from notices.kinds import MANNERS, Kind, Manner
from notices.models import Choice, Notice

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
) -> int:
    """Tell people of something; how many notices there are of it now.

    `path` is where the notice
    leads if not to the file or folder. `once` is told once to each person. Raises ValueError for
    details that are too long to be none.
    """
    said = dict(details or {})
    for name, value in said.items():
        if len(str(value)) > LONGEST_VALUE:
            raise ValueError(f"{name} is too long for a detail")
    receivers = sorted(set(people))
    chosen = choices(kind, receivers)
    made = []
    for person in receivers:
        in_app, by_mail = chosen[person]
        if in_app or by_mail:
            made.append(
                Notice(
                    user_id=person,
                    kind=kind,
                    file_id=file_id,
                    folder_id=folder_id,
                    path=path,
                    actor_id=actor_id,
                    details=said,
                    once=once,
                    in_app=in_app,
                    by_mail=by_mail,
                )
            )
    if made:
        # A conflict is what was told once already.
        Notice.objects.bulk_create(made, ignore_conflicts=bool(once))
    return len(made)


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
