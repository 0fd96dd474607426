"""Importing an export of keys: files come back when the database or the master keys were lost.

A file that the database does not know is made anew, in the folder that it was in, if its object is
in the store: every managed one is opened at its end first. Its former versions come with it. A file
whose wrapped key no longer opens gets it wrapped anew by the primary master key. Everything else
stays as it is: nothing here replaces a key that works, and nothing that was deleted comes back.
Killed and run again, it goes on. The store is only read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from django.utils import timezone

import audit
from accounts.models import User
from audit import Event
from files.crypto.errors import CryptoError, UnknownMasterKey
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.reading import KeyExport
from files.crypto.keyrecord import Custody, KeyRecord, KeyState, WrappedKey
from files.crypto.keyring import Keyring
from files.keys import wrapping
from files.keys.master_keys import keyring
from files.models import FileRecord, HeldKey, KeptVersion, StoredObject
from files.recovery import placing_back
from files.storage import ObjectKey, ObjectMissing
from files.vault import stored_objects

State = StoredObject.State
BATCH: Final = 200
"""Entries for each commit, and those of the last file; their objects are looked at before it."""
MOST_NAMED: Final = 20


@dataclass
class Imported:
    """How many files were made anew, or had their key wrapped anew; and what was left alone.

    Former versions that came with a file are counted by themselves.
    """

    created: int = 0
    versions: int = 0
    rewrapped: int = 0
    present: int = 0
    deleted: int = 0
    missing: int = 0
    damaged: int = 0
    conflicts: int = 0
    orphaned: int = 0
    named: list[UUID] = field(default_factory=list)
    new_owners: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Files that the export knows and that are not there now, though nobody deleted them."""
        return self.missing + self.damaged + self.conflicts + self.orphaned

    def fail(self, entry: Entry, what: str) -> None:
        """Count a file that could not be had, and name the first ones."""
        setattr(self, what, getattr(self, what) + 1)
        if len(self.named) < MOST_NAMED:
            self.named.append(entry.file_id)


def import_keys(
    export: KeyExport, *, progress: Callable[[int], object] = lambda count: None
) -> Imported:
    """Import every entry. `progress` is told how many were done since the last time.

    Raises Damaged for a damaged export, after what came before the damage; KeyRetired, StoreError,
    KeyServiceError.
    """
    outcome = Imported()
    batch: list[Entry] = []
    # What was one file comes back in one commit: one that is there gets no former versions later.
    for _, of_one in groupby(export.entries(), key=attrgetter("file_id")):
        batch += of_one
        if len(batch) >= BATCH:
            _import_batch(batch, outcome)
            progress(len(batch))
            batch = []
    if batch:
        _import_batch(batch, outcome)
        progress(len(batch))
    return outcome


def _import_batch(batch: list[Entry], outcome: Imported) -> None:
    rows = {
        row.stream_id: row
        for row in StoredObject.objects.filter(
            stream_id__in=[entry.context.stream_id for entry in batch]
        )
    }
    known = set(
        FileRecord.objects.filter(pk__in=[entry.file_id for entry in batch]).values_list(
            "pk", flat=True
        )
    )
    new: dict[UUID, tuple[Entry, str]] = {}
    former: list[tuple[Entry, str]] = []
    lost: list[tuple[Entry, StoredObject]] = []
    for entry in batch:
        row = rows.get(entry.context.stream_id)
        # A copy of the database from while it was uploaded knows it as being written still.
        if row is not None and row.state != State.WRITING:
            _sort_known(entry, row, outcome, lost)
        elif entry.file_id in known:
            outcome.present += 1  # Re-encrypted since: its newer object has a newer key.
        else:
            etag = _look_at(entry, outcome)
            if etag is None:
                continue
            if not entry.is_former:
                new[entry.file_id] = entry, etag
            elif entry.file_id in new:
                former.append((entry, etag))
            else:
                outcome.fail(entry, "orphaned")
    if not (new or lost):
        return
    ring = wrapping.wrapping_keyring()
    with transaction.atomic():
        owners = _owners({entry.owner for entry, _ in new.values()}, outcome)
        trees = placing_back.Trees(owners.values())
        records = {
            file_id: _create(entry, etag, owners[entry.owner], trees, ring)
            for file_id, (entry, etag) in new.items()
        }
        for entry, etag in former:
            _keep(entry, etag, records[entry.file_id], ring)
        rewrapped = sum(_wrap_anew(entry, row, ring) for entry, row in lost)
        for record in records.values():
            audit.record(
                Event.OWNERSHIP_TRANSFERRED,
                file_id=record.pk,
                from_user_id=None,
                to_user_id=record.owner_id,
                **trees.told(record),
            )
            if record.trashed_at is not None:
                audit.record(Event.PUT_AWAY, file_id=record.pk)
        counted: dict[str, Any] = {"versions": len(former)} if former else {}
        audit.record(Event.KEYS_IMPORTED, created=len(new), rewrapped=rewrapped, **counted)
    outcome.created += len(new)
    outcome.versions += len(former)
    outcome.rewrapped += rewrapped


def _sort_known(
    entry: Entry, row: StoredObject, outcome: Imported, lost: list[tuple[Entry, StoredObject]]
) -> None:
    """What is to be done for a stream that the database has: nothing, as a rule."""
    if row.state == State.DOOMED:
        outcome.deleted += 1
        return
    if (row.context, row.size, row.custody) != (entry.context, entry.size, entry.custody):
        outcome.fail(entry, "conflicts")
        return
    try:
        keyring().unwrap(row.wrapped, context=row.context, size=row.size, custody=entry.custody)
    except (UnknownMasterKey, CryptoError):
        lost.append((entry, row))
    else:
        outcome.present += 1


def _look_at(entry: Entry, outcome: Imported) -> str | None:
    """The ETag of an object that is what its entry says, or None, and counted. Raises StoreError.

    Of a held one, whose key is its owner's, only length and trailer can be compared.
    """
    store = stored_objects.storage()
    try:
        if entry.custody is Custody.HELD:
            return store.check_from_outside(
                entry.object_name,
                context=entry.context,
                commitment=entry.commitment,
                size=entry.size,
            )
        key = ObjectKey(entry.material, entry.context, entry.size, entry.commitment)
        return store.reader(entry.object_name, key).check_end()
    except ObjectMissing:
        outcome.fail(entry, "missing")
    except CryptoError:
        outcome.fail(entry, "damaged")
    return None


def _owners(names: set[str], outcome: Imported) -> dict[str, User]:
    """The owners by user name. Who is not there is made, inactive and without a password."""
    users = get_user_model().objects
    found = {user.get_username(): user for user in users.filter(username__in=names)}
    for name in sorted(names - found.keys()):
        user = users.filter(username__iexact=name).first()
        if user is None:
            user = users.create_user(name, is_active=False)
            outcome.new_owners.append(name)
        found[name] = user
    return found


def _create(
    entry: Entry, etag: str, owner: User, trees: placing_back.Trees, ring: Keyring
) -> FileRecord:
    row = _object(entry, etag, owner, State.LIVE, ring)
    record = FileRecord(
        id=entry.file_id,
        name=entry.name,
        size=entry.size,
        content_type=entry.content_type,
        owner=owner,
        custody=entry.custody,
        current=row,
        created_at=datetime.fromisoformat(entry.created_at),
        modified_at=_moment(entry.modified_at),
        trashed_at=_moment(entry.trashed_at),
        uploaded_at=_moment(entry.uploaded_at),
    )
    trees.put(record, entry.folders or ())
    return record


def _keep(entry: Entry, etag: str, record: FileRecord, ring: Keyring) -> None:
    """Give a file that was made anew one of its former versions."""
    row = _object(entry, etag, record.owner, State.KEPT, ring)
    superseded_at = datetime.fromisoformat(entry.superseded_at)
    KeptVersion.objects.create(
        file=record,
        object=row,
        size=entry.size,
        content_type=entry.content_type,
        custody=entry.custody,
        modified_at=_moment(entry.modified_at),
        uploaded_at=_moment(entry.uploaded_at) or superseded_at,
        superseded_at=superseded_at,
    )
    FileRecord.objects.filter(pk=record.pk).update(kept_bytes=F("kept_bytes") + entry.size)


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _object(
    entry: Entry, etag: str, owner: User, state: StoredObject.State, ring: Keyring
) -> StoredObject:
    wrapped = _wrap(entry, ring)
    StoredObject.objects.filter(stream_id=entry.context.stream_id, state=State.WRITING).delete()
    row = StoredObject.objects.create(
        file_id=entry.file_id,
        stream_id=entry.context.stream_id,
        stream_created_at=entry.context.created_at,
        object_name=entry.object_name,
        object_size=entry.object_size,
        state=state,
        sealed=True,
        size=entry.size,
        custody=entry.custody,
        master_key_id=wrapped.master_key_id,
        wrapped_key=wrapped.token,
        etag=etag,
        creator=owner,
    )
    if entry.custody is Custody.HELD:
        HeldKey.objects.create(object=row, derivation=entry.derivation, saved_at=timezone.now())
    return row


def _wrap(entry: Entry, ring: Keyring) -> WrappedKey:
    return ring.wrap(
        KeyRecord(
            state=KeyState.SEALED,
            context=entry.context,
            size=entry.size,
            commitment=entry.commitment,
            custody=entry.custody,
            material=entry.material,
        )
    )


def _wrap_anew(entry: Entry, row: StoredObject, ring: Keyring) -> int:
    """Give a row whose wrapped key is lost another one; 0 when somebody was faster."""
    wrapped = _wrap(entry, ring)
    wrapping.remember_wrapping(row, wrapped.master_key_id)
    return StoredObject.objects.filter(pk=row.pk, wrapped_key=row.wrapped_key).update(
        master_key_id=wrapped.master_key_id, wrapped_key=wrapped.token
    )
