"""Re-encryption: a file's bytes under a new DEK, in a new object, with nothing else changed.

Master keys can be replaced by rewrapping, and a DEK that may be known to somebody cannot: its file
is written anew. Old object → reader → writer → new object, a few frames at a time; the new object
is read back whole and compared; then one transaction swaps the two and dooms the old one, which
stays for running downloads until a sweep takes it. `version`, name, owner and grants stay.

Until that transaction commits the file is what it was, whatever is killed. It never changes a file
whose source does not authenticate to the last byte, and never two processes change one file.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.views.decorators.debug import sensitive_variables

import audit
from accounts.models import User
from audit import Event
from files.crypto.digests import Digests
from files.crypto.errors import CryptoError, Damaged
from files.crypto.heldkey import hold
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import KeyRecord, KeyState
from files.crypto.stream.keys import derive_keys, generate_dek
from files.errors import FileDamaged, VaultError
from files.keys import custody, wrapping
from files.keys.wrapping_history import was_under
from files.models import Custody, FileRecord, KeptVersion, StoredObject, UploadSession
from files.storage import ObjectKey, ObjectMissing, SealedObject
from files.storage.backend import random_object_name
from files.vault import held, opening, removing, stored_objects, versions
from files.vault.purging import Ending, may_purge
from runtime import clock
from runtime.clock import Now
from runtime.connections import release
from runtime.leases import is_dead, new_lease

log = logging.getLogger(__name__)
State = StoredObject.State

BEAT = 10.0
"""Seconds between two signs of life of a writer."""


class AlreadyRunning(VaultError):
    """Somebody else is re-encrypting this file."""

    def __init__(self) -> None:
        super().__init__("This file is being re-encrypted already. Try again later.")


class FileChanged(VaultError):
    """The file was deleted, or re-encrypted by somebody else, while it was being re-encrypted."""

    def __init__(self) -> None:
        super().__init__("The file was deleted or changed meanwhile. It was left as it is.")


class NotVerified(VaultError):
    """The store did not return the new object as it was written."""

    def __init__(self) -> None:
        super().__init__("The store did not keep the new copy as it was written. Nothing changed.")


def select(
    *, encrypted_before: datetime | None = None, master_key_id: str | None = None
) -> QuerySet[FileRecord]:
    """Files whose present encryption is that old, and was *ever* under that master key."""
    chosen = _chosen("current", encrypted_before, master_key_id)
    return FileRecord.objects.order_by("pk").filter(chosen)


def select_former(
    *, encrypted_before: datetime | None = None, master_key_id: str | None = None
) -> QuerySet[KeptVersion]:
    """The same of former versions."""
    chosen = _chosen("object", encrypted_before, master_key_id)
    return KeptVersion.objects.order_by("pk").filter(chosen)


def _chosen(row: str, encrypted_before: datetime | None, master_key_id: str | None) -> Q:
    chosen = Q()
    if encrypted_before is not None:
        before = int(encrypted_before.timestamp())
        chosen &= Q(**{f"{row}__stream_created_at__lt": before})
    if master_key_id is not None:
        past = was_under(master_key_id, f"{row}__past_master_key_ids")
        chosen &= Q(**{f"{row}__master_key_id": master_key_id}) | past
    return chosen


def reencrypt(
    record: FileRecord,
    *,
    actor: User | None = None,
    user_key: str | None = None,
    progress: Callable[[float], object] | None = None,
) -> FileRecord:
    """Re-encrypt one file under a new DEK, and return its record as it then is.

    A held file needs `user_key`, the owner's Fernet key, which stays the file's key. `progress` is
    told plaintext bytes, half of them as they are copied and half as they are verified; what it
    raises ends the work, as anything else does, with the file as it was.

    The encryption that is replaced is the one that `record` was loaded with, and no newer one: also
    where it is the file as it was in a former version.

    Raises KeyNeeded, NotAKey and WrongFileKey for a held file; FileDamaged, having marked the file
    so; AlreadyRunning, FileChanged, NotVerified, KeysMissing, StoreError.
    """
    found = _as_of(record)
    if found is None or found.current_id != record.current_id:
        raise FileChanged
    opened = opening.open_file(found, user_key)
    work = _Reencryption(found, user_key, progress)
    try:
        work.copy(opened)
        work.swap(actor)
    except BaseException:
        work.give_up()
        raise
    done = _as_of(found)
    if done is None:
        raise FileChanged
    return done


def _as_of(record: FileRecord) -> FileRecord | None:
    """The file as it stands, or that version of it where `record` is a former one."""
    if record.former_id is None:
        return FileRecord.objects.select_related("current").filter(pk=record.pk).first()
    kept = versions.of(record).filter(pk=record.former_id).first()
    return versions.as_it_was(kept) if kept is not None else None


@sensitive_variables()
def reencrypt_held(record: FileRecord, typed: str, *, actor: User) -> tuple[FileRecord, str]:
    """Re-encrypt a held file, whose key stays the same; the record as it then is, and the key.

    Raises as `files.vault.held.unlock` and `reencrypt` do.
    """
    key = held.unlock(record, typed, actor=actor)
    return reencrypt(record, actor=actor, user_key=key), key


def remove_dead() -> int:
    """Take away what killed re-encryptions had begun; how many there were."""
    rows = StoredObject.objects.filter(state=State.WRITING, reencrypts=True)
    return sum(_bury(row) for row in rows if _is_abandoned(row))


class _Reencryption:
    """The new object of one file on its way, and the row that claims the file for it."""

    def __init__(
        self,
        record: FileRecord,
        user_key: str | None,
        progress: Callable[[float], object] | None,
    ) -> None:
        self._record = record
        self._source = record.current
        self._held_by = user_key if record.custody == Custody.HELD else None
        self._progress = progress
        self._dek = generate_dek()
        self._row = self._claim()
        self._beaten = time.monotonic()
        self._sealed: SealedObject | None = None
        self._writer = stored_objects.storage().writer(
            self._row.object_name,
            dek=self._dek,
            context=self._row.context,
            size=record.size,
            on_multipart=lambda multipart_id: self._update(multipart_id=multipart_id),
        )

    def copy(self, opened: opening.OpenFile) -> None:
        """Write the new object, and read all of it back. The two must be the same file."""
        try:
            with closing(opened.chunks()) as chunks:
                read = self._digest(chunks, self._writer.write)
            release()
            self._sealed = self._writer.commit()
            self._compare(opened.digests)
            key = ObjectKey(
                self._dek, self._row.context, self._sealed.size, self._sealed.commitment
            )
            with closing(stored_objects.storage().reader(self._row.object_name, key)) as again:
                written = self._digest(again.chunks(), None)
        except (CryptoError, ObjectMissing) as error:
            # The source's own troubles are FileDamaged by now: this is about what we wrote.
            log.error("object %s does not read back: %s", self._row.object_name, error)
            raise NotVerified from error
        if (read, self._record.size) != (written, self._sealed.size):
            log.error("object %s is not what was read", self._row.object_name)
            raise NotVerified

    def _compare(self, known: Digests | None) -> None:
        """Hold what was read against what is on record of the file. Raises FileDamaged."""
        new = self._sealed.digests if self._sealed else None
        if known is not None and new is not None and new.contradict(known):
            opening.mark_damaged(self._source, Damaged("the file is not what its digests say"))
            raise FileDamaged

    def swap(self, actor: User | None) -> None:
        """Let the new object take the old one's place, if the file is still as it was."""
        sealed = self._sealed
        if sealed is None:
            raise ValueError("an object is written before it takes a place")
        wrapped = wrapping.wrapping_keyring().wrap(
            self._key_record(KeyState.SEALED, self._row, size=sealed.size)
        )
        with transaction.atomic():
            # In the order of a deletion, file first: two that wait for each other would be stuck.
            if not self._take_place():
                raise FileChanged
            source = StoredObject.objects.filter(pk=self._source.pk, state=self._state)
            if not may_purge(self._source, Ending.REENCRYPTED) or not removing.doom(source):
                raise FileChanged
            wrapping.remember_wrapping(self._row, wrapped.master_key_id)
            swapped = self._mine().update(
                state=self._state,
                sealed=True,
                master_key_id=wrapped.master_key_id,
                wrapped_key=wrapped.token,
                size=sealed.size,
                object_size=sealed.object_size,
                etag=sealed.etag,
                digest=stored_objects.digest_token(self._row, self._dek, sealed),
                multipart_id="",
                lease="",
                lease_seen_at=None,
                state_changed_at=Now(),
            )
            if not swapped:
                raise FileChanged
            if self._held_by is not None:
                custody.carry_over(self._source, self._row)
            # A client that missed its upload's last answer still asks by the session.
            UploadSession.objects.filter(object=self._source).update(object=self._row)
            audit.record(
                Event.FILE_REENCRYPTED,
                actor=actor,
                file_id=self._record.pk,
                size=sealed.size,
                custody=self._record.custody,
                wrapped_by=wrapped.master_key_id,
                **self._record.version_told,
            )

    def _take_place(self) -> bool:
        """Put the new object where the old one was; whether that was there still."""
        former_id = self._record.former_id
        if former_id is None:
            same = FileRecord.objects.filter(pk=self._record.pk, current=self._source)
            return bool(same.update(current=self._row))
        versions.lock(self._record.pk)
        kept = KeptVersion.objects.filter(pk=former_id, object=self._source)
        return bool(kept.update(object=self._row))

    @property
    def _state(self) -> str:
        return State.LIVE if self._record.former_id is None else State.KEPT

    def give_up(self) -> None:
        """Leave nothing behind, unless the swap was made after all. Never raises."""
        self._writer.release()
        try:
            doomed = removing.doom(
                StoredObject.objects.filter(pk=self._row.pk, state=State.WRITING)
            )
            if doomed:
                removing.purge(self._row)
                return
            kept = StoredObject.objects.filter(pk=self._row.pk).exclude(state=State.DOOMED)
            if not kept.exists():
                # Given up by others: what was written after that, nobody else would look for.
                stored_objects.storage().discard(self._row.object_name, self._row.multipart_id)
        except DatabaseError as error:
            log.warning("left for the sweep: %s (%s)", self._row.object_name, error)

    def _digest(self, chunks: Iterable[bytes], each: Callable[[bytes], object] | None) -> bytes:
        """Pass on every chunk; the SHA-256 of them all."""
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            if each is not None:
                each(chunk)
            if time.monotonic() - self._beaten > BEAT:
                self._update()
            if self._progress is not None:
                self._progress(len(chunk) / 2)
        return digest.digest()

    def _claim(self) -> StoredObject:
        """Commit the row of the new object. While it is there, nobody else begins the same."""
        moment = clock.now()
        row = StoredObject(
            file_id=self._record.pk,
            object_name=random_object_name(),
            custody=self._record.custody,
            reencrypts=True,
            lease=new_lease(),
            lease_seen_at=moment,
            state_changed_at=moment,
            stream_created_at=int(time.time()),
        )
        wrapped = wrapping.wrapping_keyring().wrap(self._key_record(KeyState.UPLOADING, row))
        row.master_key_id, row.wrapped_key = wrapped.master_key_id, wrapped.token
        if not _inserted(row):
            others = StoredObject.objects.filter(file_id=row.file_id, state=State.WRITING)
            if any(not _is_abandoned(other) or not _bury(other) for other in others):
                raise AlreadyRunning
            if not _inserted(row):
                raise AlreadyRunning
        return row

    def _key_record(self, state: KeyState, row: StoredObject, size: int = 0) -> KeyRecord:
        context, held_by = row.context, self._held_by
        return KeyRecord(
            state=state,
            context=context,
            size=size,
            commitment=derive_keys(self._dek, context).commitment,
            custody=KeyCustody(row.custody),
            material=self._dek if held_by is None else hold(self._dek, held_by, context),
        )

    def _update(self, **fields: str) -> None:
        """Change the row while it is still ours; that is a sign of life, too."""
        self._beaten = time.monotonic()
        now = clock.now()
        if not self._row.change(self._row.lease, lease_seen_at=now, state_changed_at=now, **fields):
            raise FileChanged
        release()

    def _mine(self) -> QuerySet[StoredObject]:
        return StoredObject.objects.filter(
            pk=self._row.pk, state=State.WRITING, lease=self._row.lease
        )


def _inserted(row: StoredObject) -> bool:
    """Whether the row could be written: the database allows one that is being written per file."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _is_abandoned(row: StoredObject) -> bool:
    """Whether whoever wrote it is dead, or was not heard of for long."""
    silent = row.state_changed_at + stored_objects.REENCRYPTION_EXPIRY < clock.now()
    return row.reencrypts and (silent or is_dead(row.lease))


def _bury(row: StoredObject) -> bool:
    """Doom what a dead process was writing; whether it was still there to be doomed."""
    still = StoredObject.objects.filter(
        pk=row.pk, state=State.WRITING, state_changed_at=row.state_changed_at
    )
    if not removing.doom(still):
        return False
    # One that is only silent may still write: its row stays for the sweep.
    if is_dead(row.lease):
        removing.purge(row)
    return True
