"""Storing a file: its bytes go to the store, are verified there, and only then it is a file.

Nobody sees a file before its bytes are safe. Whatever fails leaves no row and no object, or a row
from which a sweep finishes. Whether somebody may put it there is asked by `destinations`, and who
they are by the callers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any, NamedTuple

from django.db import DatabaseError, transaction

import audit
from accounts.models import User
from audit import Event
from files.crypto.keyring import Keyring
from files.crypto.stream.keys import generate_dek
from files.crypto.tokens import Buffer
from files.errors import UploadLost
from files.keys import custody
from files.models import FileRecord, StoredObject
from files.records.names import clean_content_type, clean_name
from files.storage import ObjectKey, SealedObject
from files.vault import destinations, outside, publishing, stored_objects
from files.vault.destinations import ROOT, Destination, OtherFile
from files.vault.quota import Allowance
from files.vault.removing import doom, purge
from files.vault.stored_objects import begin_object, storage
from runtime.connections import release

State = StoredObject.State

TRIES = 3
"""How often an upload that is complete is written again because what it was to be has changed."""


class Begun(NamedTuple):
    """What an upload begins with: its row, its key, and what it may take."""

    row: StoredObject
    dek: bytes
    allowance: Allowance


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
        destination: Destination = ROOT,
        file_id: uuid.UUID | None = None,
        begun: Begun | None = None,
    ) -> None:
        """Begin. `owner` uploads it, and owns it unless its destination is another's folder.

        `size` is the plaintext's length where it is known, in bytes.

        Where it is not, `at_most` says what it cannot exceed: parts must be large enough for it.
        `modified_at` is when the original was last changed, as its client says. `file_id` is given
        where what it will be, or be a version of, is decided already; `begun`, where it has begun
        with others.

        Raises BadName, FileTooLarge, TooManyUploads, MayNotAdd, NameTaken, RequestOver.
        """
        self.name = clean_name(name)
        self.content_type = clean_content_type(content_type)
        self.modified_at = modified_at
        self.owner = owner
        self.destination = destination
        self._row, self._dek, self._allowance = begun or self._begin(size or 0, file_id)
        self._writer = storage().writer(
            self._row.object_name,
            dek=self._dek,
            context=self._row.context,
            size=at_most if size is None else size,
            on_multipart=self._note_multipart,
        )
        self._sealed: SealedObject | None = None
        self._over = False

    def _begin(self, size: int, file_id: uuid.UUID | None) -> Begun:
        owner, destination = self.owner, self.destination
        payer = destination.payer(owner)
        allowance = outside.allowance_of(payer, owner, destination.sender)
        dek = generate_dek()
        with transaction.atomic():
            allowance.admit(size)
            file_id = file_id or destinations.begin(owner, self.name, destination)
            row = begin_object(
                file_id or uuid.uuid4(),
                dek,
                creator=owner,
                charged_to=payer,
                sender=destination.sender,
            )
        return Begun(row, dek, allowance)

    @property
    def row(self) -> StoredObject:
        """The row of its object."""
        return self._row

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
        if self.destination.sender is not None:
            outside.free_rest(self._row, self.size)

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
                    audit.record(
                        Event.UPLOAD_ABORTED,
                        file_id=self.file_id,
                        size=self.size,
                        **outside.told(self.destination.sender),
                    )
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

    def direct(self, destination: Destination) -> None:
        """Say where it is to go, of an upload that is finished: what else `begin` decides.

        Raises MayNotAdd, NameTaken.
        """
        wanted = destinations.begin(self.owner, self.name, destination)
        self.destination = destination
        if wanted is None and not destinations.is_free(self.file_id):
            wanted = uuid.uuid4()
        if wanted is not None and wanted != self.file_id:
            self._write_again(wanted)

    def _write_again(self, file_id: uuid.UUID) -> None:
        """Its bytes once more, under keys that are bound to another file."""
        again = written_again(
            self._row,
            self._dek,
            self._finished,
            uploader=self.owner,
            name=self.name,
            destination=self.destination,
            file_id=file_id,
        )
        former = self._row
        self._row, self._dek, self._sealed = again._row, again._dek, again._sealed
        self._writer = again._writer
        if doom(StoredObject.objects.filter(pk=former.pk, state=State.WRITING)):
            purge(former)

    @property
    def _finished(self) -> SealedObject:
        if self._sealed is None:
            raise ValueError("an upload is finished before it is published")
        return self._sealed

    def _prepare(self) -> None:
        """What takes its time, before the transaction that publishes it."""
        file_id = destinations.file_id_now(self._row, self.owner, self.destination)
        if file_id != self._row.file_id:
            self._write_again(file_id)

    def publish_as(self, key: custody.UserKey | None, **about: Any) -> FileRecord:
        """Publish it in its caller's transaction, with what that says about it.

        `abort` finds out afterwards whether that was committed. Raises as
        `publishing.publish_object`.
        """
        return publishing.publish_object(
            self._row,
            self._dek,
            self._finished,
            key,
            uploader=self.owner,
            name=self.name,
            **about,
        )

    def seal(self, ring: Keyring) -> None:
        """Turn its object live, with others: who does makes the file, in the same transaction."""
        stored_objects.seal_object(self._row, self._dek, self._finished, ring=ring)

    def is_over(self) -> None:
        """It is a file, and that was committed: `abort` has nothing to do any more."""
        self._over = True

    def _publish(self, key: custody.UserKey | None) -> FileRecord:
        return self.publish_as(
            key,
            content_type=self.content_type,
            modified_at=self.modified_at,
            destination=self.destination,
        )


def publish(
    uploads: Sequence[Upload],
    keys: Sequence[custody.UserKey] | None = None,
    *,
    check: Callable[[list[FileRecord]], None] | None = None,
) -> list[FileRecord]:
    """Make finished uploads files, or new versions, all of them or none.

    With `keys`, one for each, they are held files: read by nobody who does not have the key.
    `check` looks at what has come of them, before anybody sees it: what it raises leaves none.
    Raises UploadLost, AccountClosed, QuotaExceeded.
    """
    for left in reversed(range(TRIES)):
        for upload in uploads:
            upload._prepare()
        try:
            with transaction.atomic():
                each = repeat(None, len(uploads)) if keys is None else keys
                records = [upload._publish(key) for upload, key in zip(uploads, each, strict=True)]
                if check is not None:
                    check(records)
        except OtherFile:
            if not left:
                raise UploadLost from None
        else:
            break
    for upload in uploads:
        upload.is_over()
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
    destination: Destination = ROOT,
) -> FileRecord:
    """Store a whole file from its chunks. Raises as `Upload` and its methods do.

    With a `key` it is a held file.
    """
    upload = Upload(
        owner,
        name=name,
        content_type=content_type,
        size=size,
        modified_at=modified_at,
        destination=destination,
    )
    try:
        for chunk in chunks:
            upload.write(chunk)
        upload.finish()
        [record] = publish([upload], None if key is None else [key])
    finally:
        upload.abort()
    return record


def written_again(
    row: StoredObject,
    dek: bytes,
    sealed: SealedObject,
    *,
    uploader: User,
    name: str,
    destination: Destination,
    file_id: uuid.UUID,
    each: Callable[[Iterable[bytes]], Iterable[bytes]] = iter,
) -> Upload:
    """The bytes of a complete object under keys of another file's: a finished upload.

    Its keys were bound to a file that it cannot become a version of any more, or not to the one
    that it is to be a version of. `each` is given the chunks, and hands them on. Raises as `Upload`
    does, and StoreError, Damaged.
    """
    key = ObjectKey(dek, row.context, sealed.size, sealed.commitment)
    again = Upload(uploader, name=name, size=sealed.size, destination=destination, file_id=file_id)
    try:
        with storage().reader(row.object_name, key) as reader:
            for chunk in each(reader.chunks()):
                again.write(chunk)
        again.finish()
    except BaseException:
        again.abort()
        raise
    return again
