"""Do grants and owners follow from the log? Who writes to the database itself leaves no event.

Read only, in constant memory, while the service runs: rows and events are read in one order and
merged, and each difference is looked at once more before it is told.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.contrib.auth.models import Group

from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.models import FileRecord, Grant

GRANTS = (Event.GRANT_CREATED, Event.SELF_GRANTED, Event.GRANT_CHANGED, Event.GRANT_REVOKED)
OWNERS = (Event.FILE_UPLOADED, Event.OWNERSHIP_TRANSFERRED)
MOST = 1000
"""Differences that are told; a log that tells of nothing would have one for each row."""

_TERMS = ("level", "user_id", "group_id", "starts_at", "expires_at")
_AT_ONCE = 1000

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Told:
    """What the events say of one grant."""

    file_id: uuid.UUID | None
    terms: tuple[Any, ...]
    by: int | None
    revoked: bool


def differences(progress: Progress = lambda count: None) -> Iterator[str]:
    """What stands and no event accounts for, each in words; `MOST` of each kind."""
    yield from _first(_of_grants(progress))
    yield from _first(_of_owners(progress))


def total() -> int:
    """Rows that `differences` looks at."""
    return Grant.objects.count() + FileRecord.objects.count()


def _first(found: Iterator[str]) -> Iterator[str]:
    for count, one in enumerate(found):
        if count == MOST:
            yield f"and more: the first {MOST} were told"
            return
        yield one


# --- Grants ------------------------------------------------------------------------------------


def _of_grants(progress: Progress) -> Iterator[str]:
    rows = Grant.objects.order_by("pk").iterator(chunk_size=_AT_ONCE)
    row = next(rows, None)
    for number, said in _told_of_grants():
        while row is not None and row.pk < number:
            yield from _confirmed(row.pk)
            row = _step(rows, progress)
        if row is not None and row.pk == number:
            if _wrong(row, said):
                yield from _confirmed(number)
            row = _step(rows, progress)
        elif not said.revoked:
            yield from _confirmed(number)
    while row is not None:
        yield from _confirmed(row.pk)
        row = _step(rows, progress)


def _step(rows: Iterator[Any], progress: Progress) -> Any:
    progress(1)
    return next(rows, None)


def _told_of_grants(number: int | None = None) -> Iterator[tuple[int, Told]]:
    events = AuditEvent.objects.filter(event__in=GRANTS, grant_id__isnull=False)
    if number is not None:
        events = events.filter(grant_id=number)
    rows = events.order_by("grant_id", "id").values_list(
        "grant_id", "event", "file_id", "actor_id", "data"
    )
    for grant_id, of_one in groupby(rows.iterator(chunk_size=_AT_ONCE), key=lambda row: row[0]):
        by: int | None = None
        revoked, first = False, True
        file_id, data = None, dict[str, Any]()
        for _, event, file_id, actor_id, data in of_one:  # noqa: B007  the last ones count
            by, first = (actor_id if first else by), False
            revoked |= event == Event.GRANT_REVOKED
        if grant_id is not None:
            yield grant_id, Told(file_id, tuple(data.get(term) for term in _TERMS), by, revoked)


def _wrong(row: Grant, said: Told | None) -> list[str]:
    """In what the row differs from what was told."""
    if said is None:
        return ["being there"]
    now = tuple(_as_told(getattr(row, term)) for term in _TERMS)
    wrong = [term for term, has, was in zip(_TERMS, now, said.terms, strict=True) if has != was]
    if row.file_id != said.file_id:
        wrong.append("file")
    if (row.revoked_at is not None) != said.revoked:
        wrong.append("revocation")
    if row.granted_by_id is not None and row.granted_by_id != said.by:
        wrong.append("granted by")
    return wrong


def _as_told(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _confirmed(number: int) -> Iterator[str]:
    """The difference of one grant, looked at once more: it may have been made meanwhile."""
    for _ in range(5):
        before = Grant.objects.filter(pk=number).values().first()
        said = dict(_told_of_grants(number)).get(number)
        row = Grant.objects.filter(pk=number).first()
        if before == Grant.objects.filter(pk=number).values().first():
            break
    if row is None:
        if said is not None and not said.revoked and _could_be_there(said):
            yield f"grant {number} is gone, and no event ended it"
        return
    if wrong := _wrong(row, said):
        yield f"grant {number}: no event accounts for its {', '.join(wrong)}"


def _could_be_there(said: Told) -> bool:
    """Whether file and recipient are still there: grants go with them."""
    terms = dict(zip(_TERMS, said.terms, strict=True))
    if terms["user_id"] is not None and not User.objects.filter(pk=terms["user_id"]).exists():
        return False
    if terms["group_id"] is not None and not Group.objects.filter(pk=terms["group_id"]).exists():
        return False
    return said.file_id is not None and FileRecord.objects.filter(pk=said.file_id).exists()


# --- Owners ------------------------------------------------------------------------------------


def _of_owners(progress: Progress) -> Iterator[str]:
    rows = FileRecord.objects.order_by("pk").values_list("pk", "owner_id")
    untold = _imported_untold()
    told = _told_of_owners()
    said = next(told, None)
    for pk, owner_id in rows.iterator(chunk_size=_AT_ONCE):
        progress(1)
        while said is not None and said[0] < pk:
            said = next(told, None)
        if said is not None and said[0] == pk and said[1] == owner_id:
            continue
        owner, now = _owner_again(pk)
        if now is None or owner == now:
            continue
        if owner is None and untold > 0:
            untold -= 1
            continue
        yield f"file {pk}: no event accounts for its owner, {now}"


def _told_of_owners(pk: uuid.UUID | None = None) -> Iterator[tuple[uuid.UUID, int | None]]:
    events = AuditEvent.objects.filter(event__in=OWNERS, file_id__isnull=False)
    if pk is not None:
        events = events.filter(file_id=pk)
    rows = events.order_by("file_id", "id").values_list("file_id", "event", "actor_id", "data")
    for file_id, of_one in groupby(rows.iterator(chunk_size=_AT_ONCE), key=lambda row: row[0]):
        owner: int | None = None
        for _, event, actor_id, data in of_one:
            owner = actor_id if event == Event.FILE_UPLOADED else data.get("to_user_id")
        if file_id is not None:
            yield file_id, owner


def _owner_again(pk: uuid.UUID) -> tuple[int | None, int | None]:
    """Who owns the file by the log, and by its row."""
    owners = FileRecord.objects.filter(pk=pk).values_list("owner_id", flat=True)
    before = owners.first()
    said = dict(_told_of_owners(pk)).get(pk)
    now = owners.first()
    return (said, now) if before == now else (now, now)


def _imported_untold() -> int:
    """Files that an import made before its events told their owners: nobody can tell of them."""
    imports = AuditEvent.objects.filter(event=Event.KEYS_IMPORTED).values_list("data", flat=True)
    created = sum(data.get("created", 0) for data in imports)
    transfers = AuditEvent.objects.filter(event=Event.OWNERSHIP_TRANSFERRED)
    rows = transfers.values_list("data", flat=True).iterator(chunk_size=_AT_ONCE)
    return int(created - sum(data.get("from_user_id") is None for data in rows))
