"""Several small files on their way in together, into one folder: all of them become files, or none.

What is asked once for each upload is asked once for all: who may, whether there is room, whether
the names are free, which key wraps. Each has its own row, committed before its first byte goes out,
its own object, read back before it is a file, and its own event. Must never make a version of
anything, nor give another name than was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from accounts.models import User
from files.access.principals import Principal
from files.crypto.stream.keys import generate_dek
from files.errors import MayNotAdd, NameTaken
from files.models import FileRecord, Folder
from files.records.names import clean_name
from files.tree import placing
from files.vault import destinations, publishing, recent, stored_objects, storing
from files.vault.destinations import Destination, Place
from files.vault.quota import Allowance, require_active

MOST: Final = 64
"""Files of one batch: as long as they become files, nobody else writes."""


@dataclass(frozen=True)
class Small:
    """A small file that is there whole; its bytes are in no message."""

    name: str
    content: bytes = field(repr=False)
    content_type: str | None = None
    modified_at: datetime | None = None


def store(
    owner: User,
    files: Sequence[Small],
    folder: Folder,
    by: Principal,
    *,
    check: Callable[[list[FileRecord]], None] | None = None,
) -> list[FileRecord]:
    """Store `MOST` files at most, each under its name in that folder; the owner of the folder pays.

    `check` looks at what has come of them, in the transaction that makes them files, before anybody
    sees them: what it raises leaves none.
    Raises NameTaken where one of the names is; BadName, FileTooLarge, QuotaExceeded,
    TooManyUploads, MayNotAdd, AccountClosed, UploadLost, StoreError, Damaged.
    """
    if not 0 < len(files) <= MOST:
        raise ValueError(f"a batch has 1 to {MOST} files, not {len(files)}")
    names = [clean_name(file.name) for file in files]
    meant = Destination(folder, by=by)
    uploads = _begin(owner, files, names, meant)
    try:
        for upload, file in zip(uploads, files, strict=True):
            if file.content:
                upload.write(file.content)
            upload.finish()
        records = _publish(owner, uploads, meant, check)
    finally:
        for upload in uploads:
            upload.abort()
    return records


def _begin(
    owner: User, files: Sequence[Small], names: Sequence[str], meant: Destination
) -> list[storing.Upload]:
    payer = meant.payer(owner)
    allowance = Allowance(payer, uploader=owner)
    deks = [generate_dek() for _ in files]
    sizes = [len(file.content) for file in files]
    with transaction.atomic():
        allowance.admit_all(sizes)
        destinations.begin_all(names, meant)
        rows = stored_objects.begin_objects(deks, sizes, creator=owner, charged_to=payer)
    return [
        storing.Upload(
            owner,
            name=name,
            content_type=file.content_type,
            size=len(file.content),
            modified_at=file.modified_at,
            destination=meant,
            begun=storing.Begun(row, dek, allowance),
        )
        for file, name, row, dek in zip(files, names, rows, deks, strict=True)
    ]


def _publish(
    owner: User,
    uploads: list[storing.Upload],
    meant: Destination,
    check: Callable[[list[FileRecord]], None] | None,
) -> list[FileRecord]:
    """All of them files, in one transaction. Events come last: whoever appends stops all others."""
    names = [upload.name for upload in uploads]
    with transaction.atomic():
        require_active(owner)
        folder, elsewhere = destinations.lock_folder(owner, meant)
        if elsewhere or folder.owner_id != meant.payer(owner).pk:
            raise MayNotAdd
        destinations.require_free(folder, names)
        rows = [upload.row for upload in uploads]
        ring = stored_objects.ring_for(rows)
        for upload in uploads:
            upload.seal(ring)
        records = [
            publishing.new_record(
                upload.row,
                uploader=owner,
                place=Place(folder, upload.name),
                content_type=upload.content_type,
                modified_at=upload.modified_at,
                meant=meant,
            )
            for upload in uploads
        ]
        FileRecord.objects.bulk_create(records)
        try:
            placing.enter_all(records, folder)
        except IntegrityError:
            raise NameTaken(names[0], uploading=True) from None
        recent.note(owner.pk, [record.pk for record in records], recent.Way.ADDED)
        if check is not None:
            check(records)
        for record, upload in zip(records, uploads, strict=True):
            publishing.tell_uploaded(record, upload.row, owner, Place(folder, record.name), meant)
    for upload in uploads:
        upload.is_over()
    return records
