"""Opening a file: its key is checked against every field that it binds, then its bytes come.

Must never give out a byte that was not authenticated. What does not read back is marked damaged,
once, with an event. Asks nobody who they are: that is `files.access`, and the callers' duty.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from django.db import transaction
from django.db.models import Case, Value, When
from django.urls import reverse
from django.utils import timezone

import audit
from accounts.authority import administrators
from audit import Event
from files.crypto.digests import Digests, open_digests
from files.crypto.errors import CryptoError, Damaged, KeyServiceError, UnknownMasterKey
from files.errors import FileDamaged, KeysMissing, VaultError
from files.models import FileRecord, KeptVersion, StoredObject
from files.storage import ObjectKey, ObjectMissing, ObjectReader
from files.vault.stored_objects import object_key, storage
from notices import Kind, notify
from runtime.clock import Now
from runtime.connections import release

log = logging.getLogger(__name__)
State = StoredObject.State


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

    def chunks(
        self, start: int = 0, stop: int | None = None, *, joined: Callable[[], bool] | None = None
    ) -> Generator[bytes]:
        """Yield the authenticated bytes `[start, stop)`, as `ObjectReader.chunks` does.

        Raises FileDamaged, having marked the file so; StoreUnavailable, StoreRefused.
        """
        release()
        try:
            with closing(self._reader.chunks(start, stop, joined=joined)) as chunks:
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
    if row.state not in StoredObject.SOUND:
        raise FileDamaged
    try:
        if (row.size, row.file_id) != (record.size, record.id):
            raise Damaged("the file's record and its object's do not agree")
        opening = object_key(row, key)
        reader = storage().reader(row.object_name, opening)
    except UnknownMasterKey as unknown:
        raise KeysMissing({unknown.key_id: 1}) from unknown
    except CryptoError as error:
        # The row is wrong, not the object: say so, and mark nothing.
        log.error("file %s cannot be opened: %s", record.id, error)
        raise FileDamaged from error
    return OpenFile(record, reader, opening)


def digests_of(row: StoredObject, key: str | None = None) -> Digests | None:
    """The digests of a sound object's plaintext; None where they are unknown or cannot be opened.

    A held one takes its own `key`. Only where the bytes would be sent as well (`OpenFile.digests`).
    Nothing depends on them, so what keeps them from being opened is no error here.
    """
    if row.state not in StoredObject.SOUND or not row.digest:
        return None
    try:
        opening = object_key(row, key)
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


def mark_damaged(row: StoredObject, error: Exception) -> bool:
    """Mark an object that does not read back. Nothing but an operator ever unmarks it.

    Whether this did it: it may be marked already, or its file gone.
    """
    reason = error.reason if isinstance(error, Damaged) else type(error).__name__
    with transaction.atomic():
        # Which version it is of may have changed since the row was read.
        changed = StoredObject.objects.filter(pk=row.pk, state__in=StoredObject.SOUND).update(
            state=Case(
                When(state=State.KEPT, then=Value(State.KEPT_DAMAGED)),
                default=Value(State.DAMAGED),
            ),
            state_changed_at=Now(),
        )
        if changed:
            audit.record(
                Event.DAMAGE_FOUND, file_id=row.file_id, reason=reason, **version_told(row)
            )
            # One notice an hour for all that is found.
            notify(
                Kind.DAMAGE_FOUND,
                administrators(),
                path=f"{reverse('admin:files_filerecord_changelist')}?state=damaged",
                once=f"damage {timezone.now():%Y-%m-%d %H}",
            )
    if changed:
        log.error("object %s of file %s is damaged: %s", row.object_name, row.file_id, reason)
    return bool(changed)


def version_told(row: StoredObject) -> dict[str, Any]:
    """The former version that an object is of, as a detail of an event; none of a current one."""
    found = KeptVersion.objects.filter(object=row.pk).values_list("version", flat=True).first()
    return {"version": found} if found else {}
