"""The use cases: store, open, remove, rewrap. The only place where rows meet objects.

Every function here leaves rows and store in a state from which `sweep` can finish, whatever fails
and wherever the process dies: the row is committed before the first byte goes out, and says
`doomed` before an object is deleted. Everything that changes state is audited here, so that no
door can forget to. Nothing here asks who the user is: that is `access`, and the callers' duty.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, cast

from django.core.files.storage import default_storage
from django.db import DatabaseError, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

import audit
from audit import Event
from files.crypto.digests import Digests, open_digests, seal_digests
from files.crypto.errors import CryptoError, Damaged, KeyServiceError, UnknownMasterKey
from files.crypto.keyring import Custody as KeyCustody
from files.crypto.keyring import KeyRecord, Keyring, KeyState, generate_dek
from files.crypto.stream import Context, derive_keys
from files.crypto.tokens import Buffer

# Re-exported: the callers of the use cases catch them from here.
from files.errors import AccessEnded as AccessEnded  # noqa: PLC0414
from files.errors import FileDamaged as FileDamaged  # noqa: PLC0414
from files.errors import FileTooLarge as FileTooLarge  # noqa: PLC0414
from files.errors import KeyNeeded as KeyNeeded  # noqa: PLC0414
from files.errors import KeyRetired as KeyRetired  # noqa: PLC0414
from files.errors import KeysMissing as KeysMissing  # noqa: PLC0414
from files.errors import NotAKey as NotAKey  # noqa: PLC0414
from files.errors import OfferOver as OfferOver  # noqa: PLC0414
from files.errors import QuotaExceeded as QuotaExceeded  # noqa: PLC0414
from files.errors import TooBusy as TooBusy  # noqa: PLC0414
from files.errors import TooManyUploads as TooManyUploads  # noqa: PLC0414
from files.errors import UploadLost as UploadLost  # noqa: PLC0414
from files.errors import VaultError as VaultError  # noqa: PLC0414
from files.errors import WrongFileKey as WrongFileKey  # noqa: PLC0414
from files.keys import custody
from files.keys.master_keys import keyring
from files.keys.wrapping_history import with_past
from files.models import Custody, FileRecord, MasterKey, StoredObject
from files.records import clock
from files.records.clock import Now
from files.records.names import clean_content_type, clean_name
from files.storage import (
    EncryptedS3Storage,
    ObjectKey,
    ObjectMissing,
    ObjectReader,
    SealedObject,
)
from files.storage import StoreError as StoreError  # noqa: PLC0414  re-exported
from files.storage import StoreRefused as StoreRefused  # noqa: PLC0414
from files.storage.backend import random_object_name
from files.vault.allowance import Allowance, require_active
from runtime.connections import release

if TYPE_CHECKING:
    from accounts.models import User

log = logging.getLogger(__name__)
State = StoredObject.State

REENCRYPTION_EXPIRY = timedelta(minutes=10)
"""A re-encryption that was not heard of for this long is dead: its writer beats much faster."""


def storage() -> EncryptedS3Storage:
    """The configured storage, for calls that take their time: no connection is held meanwhile."""
    release()
    return cast("EncryptedS3Storage", default_storage)


# --- Store -------------------------------------------------------------------------------------


class Upload:
    """One file on its way in: `write` its bytes, `finish` it, then `publish` it or `abort`.

    Nobody sees a file before `publish`. `abort` is safe at any time and after anything; call it
    in a `finally`.
    """

    def __init__(
        self,
        owner: User,
        *,
        name: str,
        content_type: str | None = None,
        size: int | None = None,
        at_most: int | None = None,
        modified_at: datetime | None = None,
    ) -> None:
        """Begin. `size` is the plaintext's length where it is known, in bytes.

        Where it is not, `at_most` says what it cannot exceed: parts must be large enough for it.
        `modified_at` is when the original was last changed, as its client says.

        Raises BadName, FileTooLarge, TooManyUploads.
        """
        self.name = clean_name(name)
        self.content_type = clean_content_type(content_type)
        self.modified_at = modified_at
        self.owner = owner
        self._allowance = Allowance(owner)
        self._dek = generate_dek()
        with transaction.atomic():
            self._allowance.admit(size or 0)
            self._row = begin_object(uuid.uuid4(), self._dek, creator=owner)
        self._writer = storage().writer(
            self._row.object_name,
            dek=self._dek,
            context=self._row.context,
            size=at_most if size is None else size,
            on_multipart=self._note_multipart,
        )
        self._sealed: SealedObject | None = None
        self._over = False

    @property
    def file_id(self) -> uuid.UUID:
        """The id that the file will have."""
        return self._row.file_id

    @property
    def size(self) -> int:
        """Plaintext bytes taken so far."""
        return self._writer.size

    def write(self, data: Buffer) -> None:
        """Take the next bytes. Raises FileTooLarge, StoreError."""
        self._allowance.cover(self._row, self._writer.size + len(data))
        release()
        self._writer.write(data)

    def finish(self) -> None:
        """Complete the object in the store and check it there. Raises StoreError, Damaged."""
        release()
        self._sealed = self._writer.commit()

    def abort(self) -> None:
        """Leave nothing behind, unless the file was published. Never raises."""
        if self._over:
            return
        self._over = True
        unfinished = self._sealed is None
        if unfinished:
            self._writer.release()
        try:
            # A commit whose answer was lost may have published the file after all. Only the row
            # knows, and only a row that was doomed here gives the object up.
            with transaction.atomic():
                doomed = doom(StoredObject.objects.filter(pk=self._row.pk, state=State.WRITING))
                if doomed:
                    audit.record(Event.UPLOAD_ABORTED, file_id=self.file_id, size=self.size)
            if doomed and self._writer.in_doubt:
                # A request that got lost may arrive late: the row stays, for a sweep to look again.
                storage().discard(self._row.object_name, self._row.multipart_id)
            elif doomed:
                purge(self._row)
        except DatabaseError:
            # The row expires. What was never finished cannot have been published, and goes now.
            if unfinished:
                storage().discard(self._row.object_name)

    def _note_multipart(self, multipart_id: str) -> None:
        StoredObject.objects.filter(pk=self._row.pk).update(multipart_id=multipart_id)
        release()

    def _publish(self, key: custody.UserKey | None) -> FileRecord:
        if self._sealed is None:
            raise ValueError("an upload is finished before it is published")
        seal_object(self._row, self._dek, self._sealed, key)
        return create_record(
            self._row,
            owner=self.owner,
            name=self.name,
            content_type=self.content_type,
            modified_at=self.modified_at,
        )


def publish(
    uploads: Sequence[Upload], keys: Sequence[custody.UserKey] | None = None
) -> list[FileRecord]:
    """Make finished uploads files, all of them or none. Raises UploadLost.

    With `keys`, one for each, they are held files: read by nobody who does not have the key.
    """
    with transaction.atomic():
        each = repeat(None, len(uploads)) if keys is None else keys
        records = [upload._publish(key) for upload, key in zip(uploads, each, strict=True)]
    for upload in uploads:
        upload._over = True
    return records


def store(
    owner: User,
    chunks: Iterable[Buffer],
    *,
    name: str,
    content_type: str | None = None,
    size: int | None = None,
    modified_at: datetime | None = None,
    key: custody.UserKey | None = None,
) -> FileRecord:
    """Store a whole file from its chunks. Raises as `Upload` and its methods do.

    With a `key` it is a held file.
    """
    upload = Upload(owner, name=name, content_type=content_type, size=size, modified_at=modified_at)
    try:
        for chunk in chunks:
            upload.write(chunk)
        upload.finish()
        [record] = publish([upload], None if key is None else [key])
    finally:
        upload.abort()
    return record


def create_record(
    row: StoredObject,
    *,
    owner: User,
    name: str,
    content_type: str,
    modified_at: datetime | None = None,
) -> FileRecord:
    """Make a live object a file. For a transaction in which it has just been sealed.

    Raises AccountClosed where the owner was deactivated while the bytes arrived.
    """
    require_active(owner)
    record = FileRecord.objects.create(
        id=row.file_id,
        name=name,
        content_type=content_type,
        size=row.size,
        owner=owner,
        custody=row.custody,
        current=row,
        modified_at=modified_at,
    )
    audit.record(
        Event.FILE_UPLOADED,
        actor=owner,
        file_id=record.id,
        size=record.size,
        custody=record.custody,
        ms=round((timezone.now() - row.created_at).total_seconds() * 1000),
    )
    return record


def begin_object(
    file_id: uuid.UUID,
    dek: bytes,
    *,
    creator: User | None,
    name: str | None = None,
    in_custody: Custody = Custody.MANAGED,
    lease: str = "",
) -> StoredObject:
    """Commit the row of an object that is about to be written, by whoever has the `lease`."""
    moment = clock.now()
    row = StoredObject(
        file_id=file_id,
        object_name=name or random_object_name(),
        creator=creator,
        custody=in_custody,
        stream_created_at=int(time.time()),
        lease=lease,
        lease_seen_at=moment if lease else None,
        state_changed_at=moment,
    )
    wrapped = wrapping_keyring().wrap(
        KeyRecord(
            state=KeyState.UPLOADING,
            context=row.context,
            size=0,
            commitment=derive_keys(dek, row.context).commitment,
            custody=KeyCustody(in_custody),
            material=dek,
        )
    )
    row.master_key_id, row.wrapped_key = wrapped.master_key_id, wrapped.token
    row.save(force_insert=True)
    return row


def seal_object(
    row: StoredObject,
    dek: bytes,
    sealed: SealedObject,
    key: custody.UserKey | None = None,
    **fields: Any,
) -> None:
    """Turn a row of a verified object live, under the primary key of now. Raises UploadLost.

    With a user's `key` it is held, whatever it was while it was written. `fields` change with it.
    The row's lease must be as `row` has it. For a transaction.
    """
    bare = KeyRecord(
        state=KeyState.SEALED,
        context=row.context,
        size=sealed.size,
        commitment=sealed.commitment,
        custody=KeyCustody.MANAGED,
        material=dek,
    )
    locked = custody.lock(bare, key)
    wrapped = wrapping_keyring().wrap(locked)
    remember_wrapping(row, wrapped.master_key_id)
    changed = row.change(
        row.lease,
        state=State.LIVE,
        sealed=True,
        custody=locked.custody.value,
        master_key_id=wrapped.master_key_id,
        wrapped_key=wrapped.token,
        size=sealed.size,
        object_size=sealed.object_size,
        etag=sealed.etag,
        multipart_id="",
        chain=None,
        digest=digest_token(row, dek, sealed),
        state_changed_at=clock.now(),
        **fields,
    )
    if not changed:
        raise UploadLost
    if key is not None:
        custody.note(row, key)


def digest_token(row: StoredObject, dek: bytes, sealed: SealedObject) -> bytes | None:
    """What is kept of the digests of an object that was written, where its writer knows them."""
    return seal_digests(dek, row.context, sealed.digests) if sealed.digests else None


def remember_wrapping(row: StoredObject, new_key_id: str) -> None:
    """Keep on record which key wraps a row, right before another takes its place.

    For the transaction that changes the key: the row is locked until its end.
    """
    changing = StoredObject.objects.filter(pk=row.pk).exclude(master_key_id=new_key_id)
    now = changing.select_for_update().values_list("past_master_key_ids", "master_key_id")
    for past, old in now:
        changing.update(past_master_key_ids=with_past(past, old))


# --- Open --------------------------------------------------------------------------------------


class OpenFile:
    """A file whose key has been checked. Closing a chunk generator frees the store connection."""

    def __init__(self, record: FileRecord, reader: ObjectReader, key: ObjectKey) -> None:
        self.record = record
        self._reader = reader
        self._key = key

    @property
    def digests(self) -> Digests | None:
        """The digests of the whole file, as far as they are known.

        For those alone whom the bytes are sent to: a digest tells what the bytes are.
        """
        return _digests_under(self.record.current, self._key.dek)

    @property
    def size(self) -> int:
        """Plaintext bytes."""
        return self._reader.size

    def chunks(self, start: int = 0, stop: int | None = None) -> Generator[bytes]:
        """Yield the authenticated bytes `[start, stop)`.

        Raises FileDamaged, having marked the file so; StoreUnavailable, StoreRefused.
        """
        release()
        try:
            with closing(self._reader.chunks(start, stop)) as chunks:
                for chunk in chunks:
                    yield chunk
                    # The rule may have been asked again, and what was sent noted.
                    release()
        except (CryptoError, ObjectMissing) as error:
            mark_damaged(self.record.current, error)
            raise FileDamaged from error


def open_file(record: FileRecord, key: str | None = None) -> OpenFile:
    """Unwrap the file's key and check every bound field; nothing is fetched yet.

    A held file takes its own `key` as well. Raises KeyNeeded or WrongFileKey without it;
    FileDamaged, also where the file was found damaged before; KeysMissing.
    """
    row = record.current
    if row.state != State.LIVE:
        raise FileDamaged
    try:
        if (row.size, row.file_id) != (record.size, record.id):
            raise Damaged("the file's record and its object's do not agree")
        opening = _unwrap(row, key)
        reader = storage().reader(row.object_name, opening)
    except UnknownMasterKey as unknown:
        raise KeysMissing({unknown.key_id: 1}) from unknown
    except CryptoError as error:
        # The row is wrong, not the object: say so, and mark nothing.
        log.error("file %s cannot be opened: %s", record.id, error)
        raise FileDamaged from error
    return OpenFile(record, reader, opening)


def digests_of(row: StoredObject, key: str | None = None) -> Digests | None:
    """The digests of a live object's plaintext; None where they are not known, or cannot be opened.

    A held one takes its own `key`. Only where the bytes would be sent as well (`OpenFile.digests`).
    Nothing depends on them, so what keeps them from being opened is no error here.
    """
    if row.state != State.LIVE or not row.digest:
        return None
    try:
        opening = _unwrap(row, key)
    except (CryptoError, VaultError, KeyServiceError):
        return None
    return _digests_under(row, opening.dek)


def _digests_under(row: StoredObject, dek: bytes) -> Digests | None:
    if not row.digest:
        return None
    try:
        return open_digests(dek, row.context, bytes(row.digest))
    except Damaged as error:
        log.error("the digests of object %s cannot be opened: %s", row.object_name, error)
        return None


def _unwrap(row: StoredObject, key: str | None = None) -> ObjectKey:
    found = keyring().unwrap(
        row.wrapped, context=row.context, size=row.size, custody=KeyCustody(row.custody)
    )
    return ObjectKey(custody.unlock(found, key), row.context, found.size, found.commitment)


def exchange_key(record: FileRecord, old: str, new: custody.UserKey) -> None:
    """Lock a held file's DEK with another key of its owner's; its object stays as it is.

    For a transaction. Raises WrongFileKey, FileDamaged, KeysMissing.
    """
    row = StoredObject.objects.select_for_update().get(pk=record.current_id)
    try:
        found = keyring().unwrap(
            row.wrapped, context=row.context, size=row.size, custody=KeyCustody(row.custody)
        )
        bare = replace(found, custody=KeyCustody.MANAGED, material=custody.unlock(found, old))
    except UnknownMasterKey as unknown:
        raise KeysMissing({unknown.key_id: 1}) from unknown
    except CryptoError as error:
        log.error("file %s cannot be opened: %s", record.id, error)
        raise FileDamaged from error
    wrapped = wrapping_keyring().wrap(custody.lock(bare, new))
    remember_wrapping(row, wrapped.master_key_id)
    StoredObject.objects.filter(pk=row.pk).update(
        master_key_id=wrapped.master_key_id, wrapped_key=wrapped.token
    )
    custody.renote(row, new)


def mark_damaged(row: StoredObject, error: Exception) -> bool:
    """Mark an object that does not read back. Nothing but an operator ever unmarks it.

    Whether this did it: it may be marked already, or its file gone.
    """
    reason = error.reason if isinstance(error, Damaged) else type(error).__name__
    with transaction.atomic():
        changed = StoredObject.objects.filter(pk=row.pk, state=State.LIVE).update(
            state=State.DAMAGED, state_changed_at=Now()
        )
        if changed:
            audit.record(Event.DAMAGE_FOUND, file_id=row.file_id, reason=reason)
    if changed:
        log.error("object %s of file %s is damaged: %s", row.object_name, row.file_id, reason)
    return bool(changed)


# --- Remove --------------------------------------------------------------------------


def remove(record: FileRecord, *, actor: User) -> None:
    """Delete a file: gone for everybody at once, and from the store right after, or by a sweep."""
    with transaction.atomic():
        gone, _ = FileRecord.objects.filter(pk=record.pk).delete()
        if not gone:
            return  # Somebody else was faster.
        # Every encryption there is: a re-encryption may have changed the current one meanwhile.
        # One that is still being written is left to the sweep, for its writer is still at it.
        rows = StoredObject.objects.filter(file_id=record.pk)
        complete = list(rows.exclude(state=State.WRITING))
        doom(rows.exclude(state=State.DOOMED))
        audit.record(Event.FILE_DELETED, actor=actor, file_id=record.pk, size=record.size)
        for row in complete:
            # The admin deletes inside a transaction of its own: nothing is lost before that stands.
            transaction.on_commit(partial(purge, row), robust=True)


def doom(rows: QuerySet[StoredObject]) -> int:
    """Mark objects to be deleted; what was known of their content goes at once."""
    return rows.update(state=State.DOOMED, state_changed_at=Now(), chain=None, digest=None)


def purge(row: StoredObject) -> bool:
    """Delete a doomed object and then its row; whether nothing is left."""
    if not storage().discard(row.object_name, row.multipart_id):
        return False
    StoredObject.objects.filter(pk=row.pk, state=State.DOOMED).delete()
    return True


# --- Master keys -------------------------------------------------------------------------------


def needing_keys() -> QuerySet[StoredObject]:
    """Rows whose wrapped key somebody may still need: doomed objects are never read again."""
    return StoredObject.objects.exclude(state=State.DOOMED)


def keys_needed() -> dict[str, int]:
    """How many files and uploads in progress need each master key, by its id."""
    needed = needing_keys().values("master_key_id").annotate(n=Count("pk")).order_by()
    return {row["master_key_id"]: row["n"] for row in needed}


def check_keyring(needed: dict[str, int] | None = None) -> None:
    """Raise KeysMissing for what no configured key opens, KeyRetired where the primary was.

    `needed` is what `keys_needed` said a while ago: it looks at every object, so who asks often
    keeps it. Raises KeyServiceError where a service that is needed does not let its key be used.
    """
    ring = keyring()
    needed = keys_needed() if needed is None else needed
    missing = {key_id: count for key_id, count in needed.items() if key_id not in ring}
    if missing:
        raise KeysMissing(missing)
    refuse_retired(ring.primary_id)
    ring.check({ring.primary_id, *needed})


def refuse_retired(key_id: str) -> None:
    """Raise KeyRetired when that key was retired, and so may not wrap."""
    retired = MasterKey.objects.filter(pk=key_id, retired_at__isnull=False).first()
    if retired is not None:
        raise KeyRetired(key_id)


def wrapping_keyring() -> Keyring:
    """The keyring, for wrapping something new. Raises KeyRetired.

    A process may still have the configuration from before its primary key was retired.
    """
    ring = keyring()
    refuse_retired(ring.primary_id)
    return ring


def check_store() -> None:
    """Raise StoreError unless the bucket answers."""
    storage().check()


class StoredObjectKeys:
    """The storage's own `save` and `open`: keys from, and rows for, objects without a file."""

    def issue(self, name: str) -> tuple[bytes, Context]:
        """A new DEK, on record under the object's name."""
        dek = generate_dek()
        row = begin_object(uuid.uuid4(), dek, creator=None, name=name)
        return dek, row.context

    def seal(self, sealed: SealedObject) -> None:
        """Turn the row live."""
        row = StoredObject.objects.get(object_name=sealed.name)
        found = keyring().unwrap(
            row.wrapped,
            context=row.context,
            size=0,
            custody=KeyCustody(row.custody),
            state=KeyState.UPLOADING,
        )
        with transaction.atomic():
            seal_object(row, found.material, sealed)

    def find(self, name: str) -> ObjectKey:
        """The key of a live object. Raises FileNotFoundError, and KeyNeeded for a held one."""
        try:
            return _unwrap(StoredObject.objects.get(object_name=name, state=State.LIVE))
        except StoredObject.DoesNotExist:
            raise ObjectMissing(f"no object {name}") from None

    def forget(self, name: str) -> None:
        """Drop the row of an object that belongs to no file."""
        StoredObject.objects.filter(object_name=name, file=None).delete()
