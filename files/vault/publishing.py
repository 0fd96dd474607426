"""The moment at which bytes become a file: its row, its name in a folder, and the event of it.

For the transaction that seals the object, whoever has brought the bytes (`storing` in one go,
`continuing` in several, `batches` many at once). Must never make a file of an object that was not
verified in the store.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

import audit
from accounts.models import User
from audit import Event
from files.keys import custody
from files.models import FileRecord, StoredObject
from files.storage import SealedObject
from files.tree import placing
from files.vault import destinations, outside, recent, stored_objects, versions
from files.vault.destinations import ROOT, Destination
from files.vault.quota import require_active
from runtime.inserting import insert


def publish_object(
    row: StoredObject,
    dek: bytes,
    sealed: SealedObject,
    key: custody.UserKey | None,
    *,
    uploader: User,
    name: str,
    content_type: str,
    modified_at: datetime | None,
    destination: Destination,
    **fields: Any,
) -> FileRecord:
    """Make a verified object a file, or the current version of one. For a transaction.

    `fields` change with its row. A name that is taken gets a number. Raises OtherFile, where the
    object has to be written again first; UploadLost; QuotaExceeded; and AccountClosed where the
    uploader was deactivated while the bytes arrived. From outside: RequestOver, RequestFull.
    """
    require_active(uploader)
    place = destinations.decide(row, uploader, name, destination, sealed.size)
    if place.version_of is not None:
        versions.step_aside(place.version_of)
    stored_objects.seal_object(row, dek, sealed, key, **fields)
    record = place.version_of
    if record is None:
        record = create_record(
            row,
            uploader=uploader,
            place=place,
            content_type=content_type,
            modified_at=modified_at,
            meant=destination,
        )
    else:
        versions.take_place(
            record,
            row,
            uploader=uploader,
            content_type=content_type,
            modified_at=modified_at,
        )
    if destination.sender is None:
        recent.note(uploader.pk, [record.pk], recent.Way.ADDED)
    else:
        outside.note_received(record, destination.sender, name)
    return record


def _told(place: destinations.Place, uploader: User, meant: Destination) -> dict[str, Any]:
    """What an event says of a place that is not the uploader's own root."""
    told: dict[str, Any] = outside.told(meant.sender)
    if place.folder.owner_id != uploader.pk:
        told["owner_id"] = place.folder.owner_id
    if not place.folder.is_root:
        told["folder_id"] = str(place.folder.pk)
    if place.elsewhere and meant.folder is not None:
        told["instead_of_folder_id"] = str(meant.folder.pk)
    return told


def create_record(
    row: StoredObject,
    *,
    uploader: User,
    place: destinations.Place,
    content_type: str,
    modified_at: datetime | None = None,
    meant: Destination = ROOT,
) -> FileRecord:
    """Make a live object a file in its place. For the transaction that has just sealed it."""
    record = new_record(
        row,
        uploader=uploader,
        place=place,
        content_type=content_type,
        modified_at=modified_at,
        meant=meant,
    )
    insert(record)
    placing.enter(record, place.folder)
    tell_uploaded(record, row, uploader, place, meant)
    return record


def new_record(
    row: StoredObject,
    *,
    uploader: User,
    place: destinations.Place,
    content_type: str,
    modified_at: datetime | None,
    meant: Destination,
) -> FileRecord:
    """A file of a live object, as its row will be; not saved yet."""
    record = FileRecord(
        id=row.file_id,
        name=place.name,
        content_type=content_type,
        size=row.size,
        owner=place.folder.owner,
        folder=place.folder,
        uploaded_by=uploader if meant.sender is None else None,
        custody=row.custody,
        current=row,
        modified_at=modified_at,
    )
    record.derive_names()
    return record


def tell_uploaded(
    record: FileRecord,
    row: StoredObject,
    uploader: User,
    place: destinations.Place,
    meant: Destination,
) -> None:
    """Record that a file has come to its place. For the transaction that makes it one."""
    audit.record(
        Event.FILE_UPLOADED,
        # From outside it is nobody's doing whom the log knows; the request and the sender are told.
        actor=uploader if meant.sender is None else None,
        file_id=record.id,
        size=record.size,
        custody=record.custody,
        **_told(place, uploader, meant),
        ms=round((timezone.now() - row.created_at).total_seconds() * 1000),
    )
