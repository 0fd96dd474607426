"""Going on with an upload: one request's turn at it, from its first byte to the point that is safe.

An upload's whole state is its row and the store, so any process can go on where another one was
killed. Plaintext is in memory only; the bytes that do not fill a frame wait in the row, sealed.
Must never note as safe what the store has not confirmed, nor change a row without its lease.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from files.crypto.digests import digest_all
from files.crypto.errors import Damaged
from files.crypto.stream.keys import derive_keys
from files.crypto.stream.layout import object_length
from files.crypto.tokens import Buffer
from files.errors import (
    OtherContent,
    UploadLost,
    WrongLength,
    WrongOffset,
)
from files.keys.custody import UserKey
from files.models import Conflict, Custody, FileRecord, StoredObject, UploadSession
from files.storage import (
    ObjectKey,
    ObjectMissing,
    ObjectWriter,
    Progress,
    SealedObject,
    StoreError,
)
from files.vault import destinations, outside, publishing, removing, stored_objects, storing
from files.vault.destinations import Destination, OtherFile
from files.vault.upload_leases import acquire
from files.vault.upload_state import chain_in, progress_of, safe_chain, unwrapped
from runtime import clock
from runtime.connections import release
from runtime.statements import ID, statement

log = logging.getLogger(__name__)
State = StoredObject.State

BEAT = 10.0
"""Seconds between two signs of life of a writer that receives bytes."""


@statement(session=ID)
def _session(session: Any) -> QuerySet[UploadSession]:
    return UploadSession.objects.filter(pk=session)


def _destination_of(session: UploadSession) -> Destination:
    if session.sender is not None:
        return Destination.through(session.sender)
    return Destination(session.folder, Conflict(session.conflict))


class Continuation:
    """One request's turn at an upload: holds the lease, takes bytes, leaves them safe.

    Use as a context manager. Within it `write` as often as bytes arrive, then `settle` once. An
    exception leaves the upload at the last point that was safe. `length` declares what was left
    open when the upload was created. With `provisional`, nothing is safe before `settle`: for
    bytes whose checksum is not known to be right yet. `first` is for the turn of the request that
    created the upload, leased to it, before anybody else could know of it. `chain` is the content
    chain that the client's first `offset` bytes have: where what is safe has another, it is another
    file's. `coming` is how many bytes this turn brings at most, where that is known.
    """

    def __init__(
        self,
        session: UploadSession,
        offset: int,
        *,
        length: int | None = None,
        provisional: bool = False,
        first: bool = False,
        chain: bytes | None = None,
        coming: int | None = None,
    ) -> None:
        """Raises UploadBusy, WrongOffset, OtherContent, WrongLength, FileTooLarge, UploadLost."""
        self._row = session.object if first else acquire(session)
        # As it is under the lease: a length may have been declared since.
        self.session: UploadSession = self._row.session
        self._lease = self._row.lease
        self._holding = True
        self._first = first
        owner = self.session.owner
        payer = self._row.charged_to or owner
        self._allowance = outside.allowance_of(payer, owner, self.session.sender)
        self._beaten = time.monotonic()
        self._size = offset
        self._sealed: SealedObject | None = None
        try:
            if self._row.offset != offset:
                raise WrongOffset(self._row.offset)
            self._dek = unwrapped(self._row)
            if chain is not None and (safe := safe_chain(self._row, self._dek)) != chain:
                raise OtherContent(offset, safe, at_once=True)
            if length is not None:
                self._declare(length)
            size = self.session.length
            self._writer = self._new_writer(
                self._beat if provisional else self._keep,
                whole=coming is None or size is None or offset + coming >= size,
            )
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> Continuation:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.release()
        self._let_go()

    def write(self, data: Buffer) -> None:
        """Take the next bytes. Raises FileTooLarge, WrongLength, StoreError, UploadLost."""
        after = self._size + len(data)
        if self.session.length is not None and after > self.session.length:
            raise WrongLength(gettext("More bytes were sent than the declared length."))
        self._allowance.cover(self._row, after)
        if time.monotonic() - self._beaten > BEAT:
            # Before these bytes go anywhere: whoever stood still for long may have lost the lease.
            self._update()
        self._size = after
        if self._sealed is not None:
            return
        release()
        try:
            self._writer.write(data)
        except (ObjectMissing, Damaged) as error:
            self._sealed = self._completed_before(error)

    @property
    def chain(self) -> bytes | None:
        """The content chain of all that was taken so far, where it is known."""
        if self._sealed is not None:
            return chain_in(self._sealed.digests)
        return self._writer.chain

    def settle(self, *, expected: bytes | None = None) -> FileRecord | None:
        """Make all of it safe; when it is all there is, make it a file, and return that.

        `expected` is the content chain that all of it must have, or nothing of this turn is made
        safe that is not already, and no file.

        Raises OtherContent, StoreError, UploadLost.
        """
        if expected is not None and self.chain != expected:
            raise self._other_content()
        if self._sealed is not None or self._size == self.session.length:
            return self._complete(expected)
        before = {tail["name"] for tail in self._row.tails}
        release()
        progress = self._writer.suspend()
        unneeded = before - {tail.name for tail in progress.tails}
        self._note(progress, unneeded, lease="", lease_seen_at=None)
        self._holding = False
        return None

    def _other_content(self) -> OtherContent:
        """Parts that were confirmed meanwhile are safe, with what is in them."""
        return OtherContent(self._row.offset, safe_chain(self._row, self._dek), at_once=False)

    def _complete(self, expected: bytes | None) -> FileRecord:
        sealed = self._sealed or self._commit()
        if expected is not None and chain_in(sealed.digests) != expected:
            # An earlier turn has completed the object, and was told other bytes than this one.
            raise self._other_content()
        for left in reversed(range(storing.TRIES)):
            again = self._written_again(sealed)
            try:
                record = self._publish(sealed, again)
            except OtherFile:
                if not left:
                    raise UploadLost from None
            else:
                break
            finally:
                if again is not None:
                    again.abort()
        self._holding = False
        if not self._first:
            self._discard_tails()
        return record

    def _written_again(self, sealed: SealedObject) -> storing.Upload | None:
        """Its bytes under another file's id, where it cannot be a version of its own any more."""
        meant = _destination_of(self.session)
        file_id = destinations.file_id_now(self._row, self.session.owner, meant)
        if file_id == self._row.file_id:
            return None
        return storing.written_again(
            self._row,
            self._dek,
            sealed,
            uploader=self.session.owner,
            name=self.session.name,
            destination=meant,
            file_id=file_id,
            each=self._beating,
        )

    def _publish(self, sealed: SealedObject, again: storing.Upload | None) -> FileRecord:
        """Make it a file, or a version of one, and the session complete: one transaction."""
        session = self.session
        with transaction.atomic():
            key = UserKey.generated() if session.custody == Custody.HELD else None
            about: dict[str, Any] = {
                "content_type": session.content_type,
                "modified_at": session.modified_at,
                "destination": _destination_of(session),
            }
            if again is None:
                record = publishing.publish_object(
                    self._row,
                    self._dek,
                    sealed,
                    key,
                    uploader=session.owner,
                    name=session.name,
                    lease="",
                    lease_seen_at=None,
                    **about,
                )
            else:
                record = again.publish_as(key, **about)
                if not removing.doom(self._mine().filter(state=State.WRITING)):
                    raise UploadLost
                session.object = record.current
                transaction.on_commit(partial(removing.purge, self._row), robust=True)
            session.completed_at = timezone.now()
            complete = {"object": session.object_id, "completed_at": session.completed_at}
            if not _session.update(complete, session=session.pk):
                raise UploadLost
        return record

    def _discard_tails(self) -> None:
        """Delete what waited for its part, all of it and not only what is on record.

        A process may have died between a tail and its note. What cannot be reached now does not
        make the file less complete.
        """
        try:
            stored_objects.storage().discard_tails(self._row.object_name)
        except StoreError as error:
            log.warning("tails of %s were left in the store: %s", self._row.object_name, error)

    def _commit(self) -> SealedObject:
        if time.monotonic() - self._beaten > BEAT:
            self._update()
        release()
        try:
            sealed: SealedObject = self._writer.commit()
        except (ObjectMissing, Damaged) as error:
            sealed = self._completed_before(error)
        return sealed

    def _completed_before(self, error: Exception) -> SealedObject:
        """The object, where an earlier turn completed it and was stopped before it could say so.

        Otherwise the store has lost what it had confirmed, and there is nothing left to continue.
        Raises UploadLost, StoreError.
        """
        row, length = self._row, self.session.length
        commitment = derive_keys(self._dek, row.context).commitment
        if length is not None:
            key = ObjectKey(self._dek, row.context, length, commitment)
            with (
                suppress(ObjectMissing, Damaged),
                stored_objects.storage().reader(row.object_name, key) as reader,
            ):
                etag = reader.check_end()
                # What was sent now need not be what that turn was sent: the object itself is read.
                digests = digest_all(self._beating(reader.chunks()))
                return SealedObject(
                    row.object_name, length, object_length(length), etag, commitment, digests
                )
        log.error("upload %s cannot be continued: %s", row.object_name, error)
        raise UploadLost from error

    def _beating(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks, with a sign of life of their reader now and then."""
        for chunk in chunks:
            if time.monotonic() - self._beaten > BEAT:
                self._update()
            yield chunk

    def _declare(self, length: int) -> None:
        session = self.session
        if session.length == length:
            return
        if session.length is not None:
            raise WrongLength(
                gettext("The length of this upload was declared before, and cannot change.")
            )
        if length < self._row.offset:
            raise WrongLength(gettext("More bytes than that were received already."))
        self._allowance.check(length, row=self._row)
        session.length = length
        session.save(update_fields=["length"])

    def _new_writer(self, on_progress: Callable[[Progress], None], *, whole: bool) -> ObjectWriter:
        row, size = self._row, self.session.length
        try:
            return stored_objects.storage().writer(
                row.object_name,
                dek=self._dek,
                context=row.context,
                size=size,
                exact=size is not None,
                on_multipart=self._note_multipart,
                on_progress=on_progress,
                resume=progress_of(row, size),
                whole=whole,
            )
        except Damaged as error:
            log.error("upload %s cannot be continued: %s", row.object_name, error)
            raise UploadLost from error

    def _note_multipart(self, multipart_id: str) -> None:
        try:
            self._update(multipart_id=multipart_id)
        except UploadLost:
            # Nobody else knows of it.
            self._writer.abort()
            raise

    def _beat(self, _: Progress) -> None:
        self._update()

    def _keep(self, progress: Progress) -> None:
        """Note that a part is safe. Whatever waited for it in tails is in it."""
        if progress.offset < self._row.offset:
            # The tails filled the part, and the carry follows it still: no safe byte is given up.
            progress = replace(progress, carry=bytes(self._row.carry), offset=self._row.offset)
        self._note(progress, {tail["name"] for tail in self._row.tails})

    def _note(self, progress: Progress, unneeded: set[str], **fields: Any) -> None:
        self._update(
            part_frames=progress.part_frames,
            multipart_id=progress.multipart_id,
            etags=list(progress.etags),
            tails=[asdict(tail) for tail in progress.tails],
            carry=progress.carry,
            chain=progress.chain or None,
            offset=progress.offset,
            **fields,
        )
        for name in unneeded:
            stored_objects.storage().discard_one(name)

    def _update(self, **fields: Any) -> None:
        """Change the row if the lease is still ours; that is a sign of life, too."""
        self._beaten = time.monotonic()
        now = clock.now()
        fields = {"lease_seen_at": now, "state_changed_at": now, **fields}
        if not self._row.change(self._lease, **fields):
            raise UploadLost
        release()

    def _let_go(self) -> None:
        """Give the lease back, where `settle` has not; clean up if the upload was given up."""
        if not self._holding or self._mine().update(lease="", lease_seen_at=None):
            return
        kept = StoredObject.objects.filter(pk=self._row.pk).exclude(state=State.DOOMED)
        if not kept.exists():
            # Given up in the meantime: what we wrote after that, nobody else would look for.
            stored_objects.storage().discard(self._row.object_name, self._row.multipart_id)

    def _mine(self) -> QuerySet[StoredObject]:
        return StoredObject.objects.filter(pk=self._row.pk, lease=self._lease)
