"""Storing a file: its bytes go to the store, are verified there, and only then it is a file.

Nobody sees a file before its bytes are safe. Whatever fails leaves no row and no object, or a row
from which a sweep finishes. Asks nobody who they
are: that is `files.access`, and the callers' duty.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import repeat

from django.db import DatabaseError, transaction
from django.utils import timezone

import audit
from accounts.models import User
from audit import Event
from files.crypto.keyring import generate_dek
from files.crypto.tokens import Buffer
from files.keys import custody
from files.models import FileRecord, StoredObject
from files.records.names import clean_content_type, clean_name
from files.storage import SealedObject
from files.tree import placing
from files.vault.quota import Allowance, require_active
from files.vault.removing import doom, purge
from files.vault.stored_objects import begin_object, seal_object, storage
from runtime.connections import release

log = logging.getLogger(__name__)
State = StoredObject.State


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

    A name that is taken gets a number. Raises AccountClosed where the owner was deactivated while
    the bytes arrived.
    """
    require_active(owner)
    root = placing.root_of(owner)
    placing.lock_tree(owner)
    name = placing.free_name(root, name)
    record = FileRecord.objects.create(
        id=row.file_id,
        name=name,
        content_type=content_type,
        size=row.size,
        owner=owner,
        folder=root,
        uploaded_by=owner,
        custody=row.custody,
        current=row,
        modified_at=modified_at,
    )
    placing.enter(record, root)
    audit.record(
        Event.FILE_UPLOADED,
        actor=owner,
        file_id=record.id,
        size=record.size,
        custody=record.custody,
        ms=round((timezone.now() - row.created_at).total_seconds() * 1000),
    )
    return record
