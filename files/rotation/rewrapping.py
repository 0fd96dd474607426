"""Rotation of the master key: every wrapped key goes under the primary one, and is counted.

No file is re-encrypted and none is unreadable meanwhile: a row changes only from what was read to
the same key under another wrapping, and remembers which key wrapped it before. Any number of runs
share the work, and any may be killed. Never wraps under a key that was retired.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

import audit
from audit import Event
from files.crypto.errors import CryptoError
from files.crypto.keyrecord import WrappedKey
from files.crypto.keyring import Keyring
from files.crypto.stream.keys import Context
from files.crypto.tokens import Buffer
from files.errors import KeysMissing
from files.keys import custody, second_factors, waiting_mails, wrapping
from files.keys.master_keys import keyring
from files.keys.wrapping_history import with_past
from files.models import MasterKey, StoredObject
from files.records.postgresql import execute_binary

log = logging.getLogger(__name__)

BATCH = 2000
"""Rows for each commit: a claim and a commit cost as much as dozens of rows."""

REQUESTS = 8
"""Keys rewrapped at once where a key service does it, and each of them is a wait."""

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Rewrapped:
    """The outcome of a run: keys rewrapped by it, keys that do not open, and the primary's id.

    Keys are those of files and of uploads in progress; secrets are second factors'. `left` counts
    both where they are under another key still: unreadable, in another run's hands, or just added.
    """

    primary_id: str
    rewrapped: int = 0
    unreadable: int = 0
    secrets: int = 0
    unreadable_secrets: int = 0
    left: int = 0


def check_keyring() -> None:
    """As the vault's own check, and second factors count, too. Raises KeysMissing, KeyRetired."""
    ring = keyring()
    missing, secrets = (
        {key_id: count for key_id, count in counts.items() if key_id not in ring}
        for counts in (wrapping.keys_needed(), second_factors.secrets_by_key())
    )
    if missing or secrets:
        raise KeysMissing(missing, secrets)
    wrapping.refuse_retired(ring.primary_id)


def pending() -> int:
    """How many keys and secrets are under another key than the primary."""
    primary = keyring().primary_id
    secrets = second_factors.secrets_by_key()
    return _pending(primary).count() + sum(secrets.values()) - secrets.get(primary, 0)


def rewrap(
    *,
    batch_size: int = BATCH,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Rewrapped:
    """Wrap everything under the primary master key, in batches that commit by themselves.

    Killed and run again, it goes on. Readers and uploads go on meanwhile. What does not open is
    logged and left as it is. `progress` is told the number of keys of each batch.

    Raises KeysMissing and KeyRetired before changing any; KeyServiceError.
    """
    check_keyring()
    ring = keyring()
    run = _Run(ring, batch_size, progress, dry_run)
    run.all_keys()
    secrets, unreadable_secrets = second_factors.rewrap_secrets(dry_run=dry_run, progress=progress)
    if not dry_run:
        # Keys that owners may still be shown again: few, and gone in minutes.
        secrets += custody.rewrap_offers()
        secrets += waiting_mails.rewrap_mails()
    done = Rewrapped(
        ring.primary_id,
        run.rewrapped,
        len(run.unreadable),
        secrets,
        unreadable_secrets,
        left=pending(),
    )
    if not dry_run and (run.rewrapped or secrets or run.unreadable or unreadable_secrets):
        audit.record(
            Event.KEY_REWRAPPED,
            primary=done.primary_id,
            rewrapped=done.rewrapped,
            unreadable=done.unreadable,
            secrets=secrets,
            unreadable_secrets=unreadable_secrets,
        )
    return done


def _pending(primary_id: str) -> QuerySet[StoredObject]:
    return wrapping.needing_keys().exclude(master_key_id=primary_id).order_by("pk")


class _Row(NamedTuple):
    """What there is to know of a wrapped key. A model's instance takes longer than its rewrap."""

    pk: int
    object_name: str
    master_key_id: str
    wrapped_key: Buffer
    past_master_key_ids: str
    file_id: UUID
    stream_id: UUID
    stream_created_at: int


def _read(pending: QuerySet[StoredObject]) -> list[_Row]:
    return list(map(_Row._make, pending.values_list(*_Row._fields)))


class _Run:
    """One run's way through the rows, in passes, until a pass finds nothing more to do."""

    def __init__(
        self,
        ring: Keyring,
        batch_size: int,
        progress: Progress | None,
        dry_run: bool,
    ) -> None:
        self._ring = ring
        self._size = batch_size
        self._progress = progress
        self._dry_run = dry_run
        self._pool = ThreadPoolExecutor(REQUESTS) if ring.is_remote else None
        self.rewrapped = 0
        self.unreadable: set[int] = set()

    def all_keys(self) -> None:
        """Rewrap them all. Another run that was killed may have left a batch behind: look again."""
        try:
            while self._one_pass() and not self._dry_run:
                if _pending(self._ring.primary_id).count() <= len(self.unreadable):
                    return
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def _one_pass(self) -> int:
        """Go once through what is pending; how many keys were rewrapped."""
        before, last = self.rewrapped, 0
        if not self._dry_run:
            _hand_out_anew(self._ring.primary_id)
        while True:
            # Not where a service is asked: those batches take their time, and its client's rubbish.
            with _garbage_kept() if self._pool is None else nullcontext():
                count, last = self._one_batch(last)
            if not count:
                return self.rewrapped - before
            if self._progress is not None:
                self._progress(count)

    def _one_batch(self, last: int) -> tuple[int, int]:
        """Take the next batch after the row `last`; how many rows it had, and its last."""
        rows = self._claim(last)
        if not rows:
            return 0, last
        changes = [
            _Change(
                new.master_key_id,
                new.token,
                with_past(row.past_master_key_ids, row.master_key_id),
                row.pk,
                bytes(row.wrapped_key),
            )
            for row, new in zip(rows, self._rewrap(rows), strict=True)
            if new is not None
        ]
        self.rewrapped += len(changes) if self._dry_run else _swap(changes)
        return len(rows), rows[-1].pk

    def _rewrap(self, rows: list[_Row]) -> Iterable[WrappedKey | None]:
        map_ = map if self._pool is None else self._pool.map
        return map_(self._rewrap_one, rows)

    def _rewrap_one(self, row: _Row) -> WrappedKey | None:
        wrapped = WrappedKey(row.master_key_id, bytes(row.wrapped_key))
        context = Context(row.file_id, row.stream_id, row.stream_created_at)
        try:
            return self._ring.rewrap(wrapped, context=context)
        except CryptoError as error:
            self.unreadable.add(row.pk)
            log.error("object %s: wrapped key: %s", row.object_name, error)
            return None

    def _claim(self, last: int) -> list[_Row]:
        """The next batch, for this run alone; nobody waits for a lock while keys are rewrapped."""
        pending = _pending(self._ring.primary_id)
        if self._dry_run:
            return _read(pending.filter(pk__gt=last)[: self._size])
        return self._handed_out(pending)

    def _handed_out(self, pending: QuerySet[StoredObject]) -> list[_Row]:
        """The batch that follows the last one that any run was given."""
        with transaction.atomic():
            key = MasterKey.objects.select_for_update(no_key=True).get(pk=self._ring.primary_id)
            batch = _read(pending.filter(pk__gt=key.handed_out)[: self._size])
            if batch:
                key.handed_out = batch[-1].pk
                key.save(update_fields=["handed_out"])
        return batch


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """No search for garbage within: a batch is thousands of objects, and none is until its end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _hand_out_anew(key_id: str) -> None:
    """Begin at the first row again: whatever a killed run had been given is given to others."""
    MasterKey.objects.update_or_create(pk=key_id, defaults={"handed_out": 0})


class _Change(NamedTuple):
    """A row's new wrapping, and the token that it replaces if the row still has it."""

    key_id: str
    new: bytes
    past: str
    pk: int
    old: bytes


def _swap(changes: list[_Change]) -> int:
    """Compare-and-set a batch of wrapped keys in one transaction; how many were swapped."""
    if not changes:
        return 0
    with transaction.atomic():
        return (_swap_together if connection.vendor == "postgresql" else _swap_singly)(changes)


_OBJECTS = StoredObject._meta.db_table


def _swap_singly(changes: list[_Change]) -> int:
    """A statement for each: there is no way to the database that they would have to go."""
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {_OBJECTS} SET master_key_id = %s, wrapped_key = %s, past_master_key_ids = %s"  # noqa: S608
            " WHERE id = %s AND wrapped_key = %s",
            changes,
        )
        return int(cursor.rowcount)


def _swap_together(changes: list[_Change]) -> int:
    """One statement for all of them. Its bounds keep the plan from reading the whole table."""
    columns = map(list, zip(*changes, strict=True))
    return execute_binary(
        f"UPDATE {_OBJECTS} o SET master_key_id = given.key_id, wrapped_key = given.new,"  # noqa: S608
        " past_master_key_ids = given.past"
        " FROM unnest(%b::text[], %b::bytea[], %b::text[], %b::bigint[], %b::bytea[])"
        " AS given (key_id, new, past, id, old)"
        " WHERE o.id = given.id AND o.wrapped_key = given.old AND o.id BETWEEN %b AND %b",
        [*columns, changes[0].pk, changes[-1].pk],
    )
