"""Do grants, owners and places follow from the log? Who writes to the database leaves no event.

Owners and places are for `whereabouts`; tokens, links and requests for `given_out`. Read only, in
constant memory, while the service runs: rows and events are read in one order and merged, and each
difference is looked at once more before it is told.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.contrib.auth.models import Group

from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.models import FileRecord, Folder, Grant
from files.upkeep import given_out, whereabouts

GRANTS = (Event.GRANT_CREATED, Event.SELF_GRANTED, Event.GRANT_CHANGED, Event.GRANT_REVOKED)
MOST = 1000
"""Differences that are told; a log that tells of nothing would have one for each row."""

_TELLING = ("event", "file_id", "actor_id", "data")
_TERMS = ("level", "user_id", "group_id", "starts_at", "expires_at")
_AT_ONCE = 1000

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Told:
    """What the events say of one grant."""

    file_id: uuid.UUID | None
    folder_id: str | None
    terms: tuple[Any, ...]
    by: int | None
    revoked: bool


def differences(progress: Progress = lambda count: None) -> Iterator[str]:
    """What stands and no event accounts for, each in words; `MOST` of each kind."""
    yield from _first(_of_grants(progress))
    yield from _first(whereabouts.of_files(progress))
    yield from _first(whereabouts.of_folders(progress, at_most=MOST))
    yield from _first(given_out.differences())


def total() -> int:
    """Rows that `differences` looks at."""
    return Grant.objects.count() + whereabouts.total()


def _first(found: Iterator[str]) -> Iterator[str]:
    for count, one in enumerate(found):
        if count == MOST:
            yield f"and more: the first {MOST} were told"
            return
        yield one


# --- Grants ------------------------------------------------------------------------------------


def _of_grants(progress: Progress) -> Iterator[str]:
    # What is recorded from here on is looked for where something differs, and there alone.
    last = AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    rows = Grant.objects.order_by("pk").iterator(chunk_size=_AT_ONCE)
    row = next(rows, None)
    gone: list[tuple[int, Told]] = []
    for number, said in _told_of_grants(last):
        while row is not None and row.pk < number:
            yield from _confirmed(row.pk, None, last)
            row = _step(rows, progress)
        if row is not None and row.pk == number:
            if _wrong(row, said):
                yield from _confirmed(number, said, last)
            row = _step(rows, progress)
        elif not said.revoked:
            gone.append((number, said))
            if len(gone) == _AT_ONCE:
                yield from _of_gone(gone, last)
                gone.clear()
    yield from _of_gone(gone, last)
    while row is not None:
        yield from _confirmed(row.pk, None, last)
        row = _step(rows, progress)


def _step(rows: Iterator[Any], progress: Progress) -> Any:
    progress(1)
    return next(rows, None)


def _told_of_grants(last: int) -> Iterator[tuple[int, Told]]:
    """What the events up to that one say of each grant, by their numbers."""
    events = AuditEvent.objects.filter(event__in=GRANTS, grant_id__isnull=False, id__lte=last)
    rows = events.order_by("grant_id", "id").values_list("grant_id", *_TELLING)
    for grant_id, of_one in groupby(rows.iterator(chunk_size=_AT_ONCE), key=lambda row: row[0]):
        said = _and_then(None, (event for _, *event in of_one))
        if grant_id is not None and said is not None:
            yield grant_id, said


def _told_since(number: int, said: Told | None, last: int) -> Told | None:
    """And what later ones say: few, and no index finds those of one grant among all."""
    events = AuditEvent.objects.filter(id__gt=last, event__in=GRANTS, grant_id=number)
    return _and_then(said, events.order_by("id").values_list(*_TELLING))


def _and_then(said: Told | None, events: Iterable[Sequence[Any]]) -> Told | None:
    for event, file_id, actor_id, data in events:
        said = Told(
            file_id,
            data.get("folder_id"),
            tuple(data.get(term) for term in _TERMS),
            actor_id if said is None else said.by,
            event == Event.GRANT_REVOKED or (said is not None and said.revoked),
        )
    return said


def _wrong(row: Grant, said: Told | None) -> list[str]:
    """In what the row differs from what was told."""
    if said is None:
        return ["being there"]
    now = tuple(_as_told(getattr(row, term)) for term in _TERMS)
    wrong = [term for term, has, was in zip(_TERMS, now, said.terms, strict=True) if has != was]
    if row.file_id != said.file_id:
        wrong.append("file")
    if row.folder_id != (uuid.UUID(said.folder_id) if said.folder_id else None):
        wrong.append("folder")
    if (row.revoked_at is not None) != said.revoked:
        wrong.append("revocation")
    if row.granted_by_id is not None and row.granted_by_id != said.by:
        wrong.append("granted by")
    return wrong


def _as_told(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _confirmed(number: int, told: Told | None, last: int) -> Iterator[str]:
    """The difference of one grant, looked at once more: it may have been made meanwhile.

    `told` is what the events up to `last` say of it.
    """
    for _ in range(5):
        before = Grant.objects.filter(pk=number).values().first()
        said = _told_since(number, told, last)
        row = Grant.objects.filter(pk=number).first()
        if before == Grant.objects.filter(pk=number).values().first():
            break
    if row is None:
        if said is not None and not said.revoked and _could_be_there([(number, said)]):
            yield f"grant {number} is gone, and no event ended it"
        return
    if wrong := _wrong(row, said):
        yield f"grant {number}: no event accounts for its {', '.join(wrong)}"


def _of_gone(gone: Sequence[tuple[int, Told]], last: int) -> Iterator[str]:
    """Of grants that events tell of and that are not there: many went with their files."""
    for number, said in _could_be_there(gone):
        yield from _confirmed(number, said, last)


def _could_be_there(gone: Sequence[tuple[int, Told]]) -> list[tuple[int, Told]]:
    """Those whose file or folder and recipient are still there: grants go with them."""
    of_files = [said.file_id for _, said in gone if said.file_id is not None]
    of_folders = [said.folder_id for _, said in gone if said.folder_id is not None]
    files = FileRecord.objects.filter(pk__in=of_files)
    folders = Folder.objects.filter(pk__in=of_folders)
    there = {str(pk) for of_kind in (files, folders) for pk in of_kind.values_list("pk", flat=True)}
    left = [(n, said) for n, said in gone if str(said.folder_id or said.file_id) in there]
    for term, model in (("user_id", User), ("group_id", Group)):
        at = _TERMS.index(term)
        wanted = {said.terms[at] for _, said in left} - {None}
        kept = {None, *model.objects.filter(pk__in=wanted).values_list("pk", flat=True)}
        left = [(number, said) for number, said in left if said.terms[at] in kept]
    return left
