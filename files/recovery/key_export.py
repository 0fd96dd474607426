"""Exporting the keys: one encrypted file that opens every object without the database.

The export is of one snapshot of the database, read in batches, verified by reading it back before
it gets its name, and audited before that too. What cannot be unwrapped is counted and left out.
Never writes a key but into the export, and never puts one into a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

import audit
from audit import Event
from audit.reading import in_order
from files.crypto.errors import CryptoError, Damaged, UnknownMasterKey
from files.crypto.keyexport import Entry, Protector, open_export, read_header, write_export
from files.crypto.keyring import Custody, Keyring
from files.crypto.output import new_file
from files.errors import VaultError
from files.keys import custody
from files.keys.master_keys import keyring
from files.models import FileRecord

BATCH: Final = 2000
MOST_NAMED: Final = 20
"""Files that could not be exported and are named; the others are counted."""


class ExportNotVerified(VaultError):
    """What was written does not read back."""

    def __init__(self) -> None:
        super().__init__("The export does not read back as it was written. Nothing was kept.")


@dataclass
class Exported:
    """The outcome: files by custody, master keys that were used, and what is missing."""

    managed: int = 0
    held: int = 0
    master_keys: set[str] = field(default_factory=set)
    missing_keys: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    named: list[UUID] = field(default_factory=list)

    @property
    def files(self) -> int:
        """Files whose keys are in the export."""
        return self.managed + self.held

    @property
    def left_out(self) -> int:
        """Files whose keys could not be unwrapped."""
        return self.unreadable + self.missing_keys.total()


def exportable() -> int:
    """How many files there are to export."""
    return FileRecord.objects.count()


def export_keys(
    path: Path, protector: Protector, *, progress: Callable[[int], object] = lambda count: None
) -> Exported:
    """Write the keys of all files to `path`, a new file of mode 0600.

    `progress` is told how many files were written since the last time; then, as the export is read
    back, how many were read. Raises FileExistsError, OSError, ExportNotVerified.
    """
    outcome = Exported()
    with new_file(path) as file:
        with snapshot():
            write_export(file, protector, _entries(outcome, progress))
        file.flush()
        try:
            written = open_export(file, read_header(file), protector.key)
            if _count(written.entries(), progress) != outcome.files:
                raise ExportNotVerified
        except Damaged:
            raise ExportNotVerified from None
        audit.record(
            Event.KEYS_EXPORTED,
            export=protector.header.context.file_id,
            protected_by=protector.header.protection.name.lower(),
            managed=outcome.managed,
            held=outcome.held,
            left_out=outcome.left_out,
            master_keys=" ".join(sorted(outcome.master_keys)),
        )
    return outcome


def _count(entries: Iterator[Entry], progress: Callable[[int], object]) -> int:
    count = 0
    for count, _entry in enumerate(entries, start=1):
        if count % BATCH == 0:
            progress(BATCH)
    progress(count % BATCH)
    return count


@contextmanager
def snapshot() -> Iterator[None]:
    """Let all reads in the block see one moment of the database, without holding up writers."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        # Django's own transactions are IMMEDIATE here: they would keep every writer waiting.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("COMMIT")
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                # It waits for programs and people, and nobody waits for it.
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield


def _files() -> QuerySet[FileRecord]:
    return FileRecord.objects.select_related("current__held_key", "owner").order_by("pk")


def _entries(outcome: Exported, progress: Callable[[int], object]) -> Iterator[Entry]:
    ring = keyring()
    records = in_order(_files(), size=BATCH, key=attrgetter("pk"))
    for number, record in enumerate(records, start=1):
        if number % BATCH == 0:
            progress(BATCH)
        try:
            entry = _entry(record, ring)
        except UnknownMasterKey as unknown:
            outcome.missing_keys[unknown.key_id] += 1
        except CryptoError:
            outcome.unreadable += 1
        else:
            if entry.custody is Custody.HELD:
                outcome.held += 1
            else:
                outcome.managed += 1
            outcome.master_keys.add(record.current.master_key_id)
            yield entry
            continue
        if len(outcome.named) < MOST_NAMED:
            outcome.named.append(record.pk)
    progress((outcome.files + outcome.left_out) % BATCH)


def _entry(record: FileRecord, ring: Keyring) -> Entry:
    row = record.current
    found = ring.unwrap(
        row.wrapped, context=row.context, size=row.size, custody=Custody(row.custody)
    )
    return Entry(
        file_id=record.pk,
        name=record.name,
        size=record.size,
        content_type=record.content_type,
        owner=record.owner.get_username(),
        created_at=record.created_at.isoformat(),
        state=row.state,
        custody=found.custody,
        object_name=row.object_name,
        object_size=row.object_size,
        context=row.context,
        commitment=found.commitment,
        material=found.material,
        derivation=custody.derivation_of(row),
        modified_at=record.modified_at.isoformat() if record.modified_at else "",
    )
