"""Reconciliation: the bucket and the rows, compared in both directions.

Listing is the second check, after the rows themselves (`sweeping`). Both sides are read in the
order of object names, a page at a time, and merged: memory does not grow with the number of
objects. What the comparison suspects is looked at once more, by itself, before anything is done
about it: uploads and deletions go on meanwhile, and a row is always committed before its object is.

Never deletes an object without a row unasked, nor a young one; and neither deletes nor marks
anything while not one object of the bucket is known: then it is the wrong bucket, or database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models.functions import Collate

import audit
from audit import Event
from files.models import StoredObject
from files.storage import Listed, ObjectMissing
from files.upkeep.sweeping import Act, Each, Step, nobody
from files.vault import opening, stored_objects
from runtime import clock

State = StoredObject.State

SETTLED = timedelta(days=1)
"""Whatever is younger may be part of something that goes on."""

PAGE = 1000
"""Rows looked up at once; a store lists as many objects."""

LISTED = 10_000
"""Objects that are kept to be named, and suspicions that are kept until one object is known."""

NONE_KNOWN = 10
"""Suspicions while no object is known, before it is the bucket that is in doubt."""


class Row(NamedTuple):
    """What a comparison needs of a row."""

    name: str
    pk: int
    state: str


@dataclass
class Reconciled:
    """What was found, and what was done about it.

    `unknown` are objects without a row, deleted or not; `missing` rows without an object, marked
    or not; of each the first are kept.
    """

    aborted: int = 0
    tails: int = 0
    deleted: int = 0
    failed: int = 0
    unknown_objects: int = 0
    unknown_bytes: int = 0
    unknown: list[Listed] = field(default_factory=list)
    missing_objects: int = 0
    missing: list[tuple[UUID, str]] = field(default_factory=list)
    in_doubt: bool = False
    """Much is unknown or missing and no object is known: nothing was deleted or marked."""


def reconcile(
    *,
    now: datetime | None = None,
    dry_run: bool = False,
    delete_unknown: bool = False,
    each: Each = nobody,
) -> Reconciled:
    """Compare bucket and rows, and put right what can be.

    Stale multipart uploads are aborted, tails of complete objects deleted, rows whose object is
    gone marked as damaged; objects without a row are reported, and with `delete_unknown` deleted
    once they are older than `SETTLED`. With `dry_run`, nothing is changed, and `each` is told what
    would be. Safe beside a running service, and beside another one. Raises StoreError.
    """
    work = _Reconciliation(now or clock.now(), dry_run, delete_unknown, each)
    try:
        work.abort_stale()
        work.compare()
    finally:
        done = work.done
        changed = done.aborted, done.tails, done.deleted
        if any(changed) and not dry_run:
            audit.record(
                Event.SWEPT, aborted=done.aborted, tails=done.tails, unknown_deleted=done.deleted
            )
    return done


def rows() -> Iterator[Row]:
    """All rows in the order of names, a page at a time, each page as it is by then.

    As a store lists its objects: by the bytes of their names, whatever the database's language.
    """
    collation = "C" if connection.vendor == "postgresql" else "BINARY"
    found = StoredObject.objects.annotate(key=Collate("object_name", collation)).order_by("key")
    last = ""
    while page := list(found.filter(key__gt=last).values_list("object_name", "pk", "state")[:PAGE]):
        yield from map(Row._make, page)
        last = page[-1][0]


def merged(
    objects: Iterator[Listed], rows: Iterator[Row]
) -> Iterator[tuple[Listed | None, Row | None]]:
    """Both sides in the order of names, with each name once."""
    found, row = next(objects, None), next(rows, None)
    while found is not None or row is not None:
        if row is None or (found is not None and found.name < row.name):
            yield found, None
            found = next(objects, None)
        elif found is None or row.name < found.name:
            yield None, row
            row = next(rows, None)
        else:
            yield found, row
            found, row = next(objects, None), next(rows, None)


class _Reconciliation:
    def __init__(self, now: datetime, dry_run: bool, delete_unknown: bool, each: Each) -> None:
        self.done = Reconciled()
        self._now = now
        self._dry_run = dry_run
        self._delete_unknown = delete_unknown
        self._each = each
        self._any_known = False
        self._suspects: list[Listed | Row] = []

    def abort_stale(self) -> None:
        """Abort multipart uploads that nobody will complete."""
        for found in stored_objects.storage().multiparts():
            if self._now - found.begun_at < SETTLED:
                continue
            row = StoredObject.objects.filter(object_name=found.name).first()
            if row is not None and row.state == State.DOOMED:
                continue  # It goes with its row.
            if (
                row is not None
                and row.state == State.WRITING
                and row.multipart_id in ("", found.upload_id)
            ):
                continue  # It is being written, or will expire with its row.
            failed = not (
                self._dry_run
                or stored_objects.storage().abort_multipart(found.name, found.upload_id)
            )
            self.done.failed += failed
            self.done.aborted += not failed
            file_id = None if row is None else row.file_id
            self._tell(Act.ABORT, found.name, file_id, None, found.begun_at, failed)

    def compare(self) -> None:
        """Walk through bucket and rows side by side."""
        before: Row | None = None
        for found, row in merged(stored_objects.storage().objects(), rows()):
            before = row or before
            if row is None and found is not None:
                self._without_row(found, before)
            elif row is not None and found is not None:
                self._know_one()
            elif row is not None and row.state in StoredObject.LIVING:
                self._suspect(row)
        if len(self._suspects) <= NONE_KNOWN and not self.done.in_doubt:
            self._know_one()
            return
        self.done.in_doubt = True
        for suspect in self._suspects:
            self._report_only(suspect)

    def _without_row(self, found: Listed, before: Row | None) -> None:
        name, dot, _ = found.name.rpartition(".")
        if dot:
            # Tails are listed right after what they belong to.
            state = before.state if before is not None and before.name == name else _state(name)
            if state in (State.WRITING, State.DOOMED):
                return
            if state is not None:
                self._remove_tail(found)
                return
        self._suspect(found)

    def _remove_tail(self, found: Listed) -> None:
        if self._now - found.written_at < SETTLED:
            return
        failed = not (self._dry_run or stored_objects.storage().discard_one(found.name))
        self.done.failed += failed
        self.done.tails += not failed
        self._tell(Act.TAIL, found.name, None, found.size, found.written_at, failed)

    def _suspect(self, suspect: Listed | Row) -> None:
        if self._any_known:
            self._look_again(suspect)
        elif len(self._suspects) < LISTED:
            self._suspects.append(suspect)
        else:
            self.done.in_doubt = True
            self._report_only(suspect)

    def _know_one(self) -> None:
        """It is our bucket: whatever is suspected is what it seems."""
        if self._any_known or self.done.in_doubt:
            return
        self._any_known = True
        suspects, self._suspects = self._suspects, []
        for suspect in suspects:
            self._look_again(suspect)

    def _look_again(self, suspect: Listed | Row) -> None:
        if isinstance(suspect, Listed):
            self._unknown(suspect)
        else:
            self._missing(suspect)

    def _report_only(self, suspect: Listed | Row) -> None:
        if isinstance(suspect, Listed):
            self._count_unknown(suspect)
            self._tell(Act.REPORT, suspect.name, None, suspect.size, suspect.written_at, False)
        elif (row := _living(suspect)) is not None:
            self._count_missing(row)

    def _unknown(self, found: Listed) -> None:
        # The row may have been written since its page was read.
        if _state(found.name) is not None:
            return
        self._count_unknown(found)
        act, failed = Act.REPORT, False
        if self._delete_unknown and self._now - found.written_at >= SETTLED:
            act = Act.DELETE
            failed = not (self._dry_run or stored_objects.storage().discard_one(found.name))
            self.done.failed += failed
            self.done.deleted += not failed
        self._tell(act, found.name, None, found.size, found.written_at, failed)

    def _missing(self, suspect: Row) -> None:
        # It may have been written, or deleted, since the bucket's page was listed.
        row = _living(suspect)
        if row is None:
            return
        try:
            stored_objects.storage().object_size(row.object_name)
        except ObjectMissing as error:
            if (
                not self._dry_run
                and row.state in StoredObject.SOUND
                and not opening.mark_damaged(row, error)
            ):
                row = _living(suspect)
        else:
            return
        if row is not None:
            self._count_missing(row)
            self._tell(Act.MARK, row.object_name, row.file_id, row.object_size, None, False)

    def _count_unknown(self, found: Listed) -> None:
        self.done.unknown_objects += 1
        self.done.unknown_bytes += found.size
        if len(self.done.unknown) < LISTED:
            self.done.unknown.append(found)

    def _count_missing(self, row: StoredObject) -> None:
        self.done.missing_objects += 1
        if len(self.done.missing) < LISTED:
            self.done.missing.append((row.file_id, row.object_name))

    def _tell(
        self,
        act: Act,
        name: str,
        file_id: UUID | None,
        size: int | None,
        since: datetime | None,
        failed: bool,
    ) -> None:
        age = None if since is None else self._now - since
        self._each(Step(act, name, file_id, size, age, failed))


def _state(name: str) -> str | None:
    return StoredObject.objects.filter(object_name=name).values_list("state", flat=True).first()


def _living(row: Row) -> StoredObject | None:
    return StoredObject.objects.filter(pk=row.pk, state__in=StoredObject.LIVING).first()
