"""Exporting the keys: one encrypted file that opens every object without the database.

The export is of one snapshot of the database, read in batches, verified by reading it back before
it gets its name, and audited before that too. What cannot be unwrapped is counted and left out.
Never writes a key but into the export, and never puts one into a message.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
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
from files.crypto.keyexport.entries import Above, Entry
from files.crypto.keyexport.reading import open_export, read_header
from files.crypto.keyexport.writing import Protector, write_export
from files.crypto.keyrecord import Custody
from files.crypto.keyring import Keyring
from files.crypto.output import new_file
from files.errors import VaultError
from files.keys import custody
from files.keys.master_keys import keyring
from files.models import Ancestry, FileRecord, KeptVersion, StoredObject

BATCH: Final = 2000
MOST_NAMED: Final = 20
"""Files that could not be exported and are named; the others are counted."""


class ExportNotVerified(VaultError):
    """What was written does not read back."""

    def __init__(self) -> None:
        super().__init__("The export does not read back as it was written. Nothing was kept.")


@dataclass
class Exported:
    """The outcome: files by custody, master keys that were used, and what is missing.

    Former versions are counted by themselves, those that are missing with the files.
    """

    managed: int = 0
    held: int = 0
    versions: int = 0
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
        """Files and former versions whose keys could not be unwrapped."""
        return self.unreadable + self.missing_keys.total()


def exportable() -> int:
    """How many files and former versions there are to export."""
    return FileRecord.objects.count() + KeptVersion.objects.count()


def export_keys(
    path: Path, protector: Protector, *, progress: Callable[[int], object] = lambda count: None
) -> Exported:
    """Write the keys of all files and former versions to `path`, a new file of mode 0600.

    `progress` is told how many were written since the last time; then, as the export is read
    back, how many were read. Raises FileExistsError, OSError, ExportNotVerified.
    """
    outcome = Exported()
    with new_file(path) as file:
        with snapshot():
            write_export(file, protector, _entries(outcome, progress))
        file.flush()
        try:
            written = open_export(file, read_header(file), protector.key)
            if _count(written.entries(), progress) != outcome.files + outcome.versions:
                raise ExportNotVerified
        except Damaged:
            raise ExportNotVerified from None
        audit.record(
            Event.KEYS_EXPORTED,
            export=protector.header.context.file_id,
            protected_by=protector.header.protection.name.lower(),
            managed=outcome.managed,
            held=outcome.held,
            versions=outcome.versions,
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
    done = 0
    records = in_order(_files(), size=BATCH, key=attrgetter("pk"))
    while batch := list(islice(records, BATCH)):
        for version in _versions(batch):
            done += 1
            if done % BATCH == 0:
                progress(BATCH)
            try:
                entry = version.entry(ring)
            except UnknownMasterKey as unknown:
                outcome.missing_keys[unknown.key_id] += 1
            except CryptoError:
                outcome.unreadable += 1
            else:
                if version.former is not None:
                    outcome.versions += 1
                elif entry.custody is Custody.HELD:
                    outcome.held += 1
                else:
                    outcome.managed += 1
                outcome.master_keys.add(version.row.master_key_id)
                yield entry
                continue
            if len(outcome.named) < MOST_NAMED:
                outcome.named.append(version.record.pk)
    progress(done % BATCH)


@dataclass(frozen=True, slots=True)
class _Version:
    """The current version of a file, or a former one; the oldest has the number 1."""

    record: FileRecord
    row: StoredObject
    former: KeptVersion | None
    number: int
    folders: tuple[Above, ...]

    def entry(self, ring: Keyring) -> Entry:
        """Raises UnknownMasterKey, CryptoError."""
        row, record, former = self.row, self.record, self.former
        found = ring.unwrap(
            row.wrapped, context=row.context, size=row.size, custody=Custody(row.custody)
        )
        return Entry(
            file_id=record.pk,
            name=record.name,
            size=row.size,
            content_type=(former or record).content_type,
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
            modified_at=_told((former or record).modified_at),
            folders=self.folders,
            trashed_at=_told(record.trashed_at),
            version=self.number,
            uploaded_at=_told((former or record).uploaded_at),
            superseded_at=_told(former.superseded_at if former else None),
        )


def _told(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _versions(records: list[FileRecord]) -> Iterator[_Version]:
    """The current version of each file, and then its former ones, the newest first."""
    former: dict[UUID, list[KeptVersion]] = defaultdict(list)
    kept = KeptVersion.objects.select_related("object__held_key").filter(file__in=records)
    for one in kept.order_by("-superseded_at", "-pk"):
        former[one.file_id].append(one)
    paths = _paths({record.folder_id for record in records if record.folder_id})
    for record in records:
        of_it = former[record.pk]
        folders = tuple(paths[record.folder_id]) if record.folder_id else ()
        yield _Version(record, record.current, None, len(of_it) + 1, folders)
        for number, one in zip(range(len(of_it), 0, -1), of_it, strict=True):
            yield _Version(record, one.object, one, number, folders)


def _paths(folder_ids: set[UUID]) -> dict[UUID, list[Above]]:
    """The folders above each of these and itself, the outermost first, without the root."""
    found: dict[UUID, list[Above]] = defaultdict(list)
    rows = Ancestry.objects.filter(descendant__in=folder_ids, ancestor__parent__isnull=False)
    for row in rows.select_related("ancestor").order_by("-distance"):
        above = row.ancestor
        found[row.descendant_id].append(Above(above.pk, above.name, _told(above.trashed_at)))
    return found
