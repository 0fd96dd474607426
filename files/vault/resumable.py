"""Resumable uploads as their clients know them: begun, asked after, given up (docs/uploads.md).

What one request adds to an upload is `continuing`'s, and who writes to it `upload_leases`'. Must
never leave a row that no sweep would find.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

import audit
from accounts.models import User
from audit import Event
from files.crypto.stream.keys import generate_dek
from files.models import Custody, StoredObject, UploadSession
from files.records.names import clean_content_type, clean_name
from files.vault import destinations, outside, removing, stored_objects
from files.vault.destinations import ROOT, Destination
from runtime.inserting import insert
from runtime.leases import new_lease

State = StoredObject.State


def create(
    owner: User,
    *,
    name: str,
    content_type: str | None = None,
    length: int | None = None,
    metadata: str = "",
    in_custody: Custody = Custody.MANAGED,
    modified_at: datetime | None = None,
    destination: Destination = ROOT,
    leased: bool = False,
) -> UploadSession:
    """Begin an upload of `length` bytes, or of a length to be declared later.

    `owner` uploads it; of what is sent through a request that is who has made the request. `leased`
    to its caller, whose turn comes `first`. Raises BadName, FileTooLarge, QuotaExceeded,
    TooManyUploads, MayNotAdd, NameTaken, RequestOver.
    """
    name = clean_name(name)
    payer = destination.payer(owner)
    with transaction.atomic():
        outside.allowance_of(payer, owner, destination.sender).admit(length or 0)
        row = stored_objects.begin_object(
            destinations.begin(owner, name, destination) or uuid.uuid4(),
            generate_dek(),
            creator=owner,
            charged_to=payer,
            in_custody=in_custody,
            lease=new_lease() if leased else "",
            sender=destination.sender,
        )
        session = UploadSession(
            object=row,
            owner=owner,
            sender=destination.sender,
            folder=destination.folder,
            conflict=destination.conflict,
            name=name,
            content_type=clean_content_type(content_type),
            length=length,
            metadata=metadata,
            custody=in_custody,
            modified_at=modified_at,
        )
        insert(session)
    return session


def terminate(session: UploadSession) -> None:
    """Give an upload up: nothing of it stays. The file of a complete one is not touched."""
    row = session.object
    with transaction.atomic():
        doomed = removing.doom(StoredObject.objects.filter(pk=row.pk, state=State.WRITING))
        session.delete()
        if doomed:
            audit.record(
                Event.UPLOAD_ABORTED,
                file_id=row.file_id,
                size=row.offset,
                **outside.told(session.sender),
            )
    if doomed:
        removing.purge(row)
