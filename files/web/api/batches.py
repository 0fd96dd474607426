"""Several small files in one request, into one folder: all of them are stored, or none.

A request of its own for each costs more than a small file does. Their bytes come in the body as
text, so a batch has as many as fit into a form (1 MiB); what is larger goes by `PUT`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from ninja import Router

from files.access.permissions import Permission
from files.access.principals import Scope
from files.models import FileRecord, Folder
from files.vault import batches, opening
from files.web.api.answers import IDEMPOTENT, Keep, answers, once_stored
from files.web.api.entrance import Needs, program_of, require, user_of
from files.web.api.folders import addable_folder
from files.web.api.paths import require_kept
from files.web.api.problems import Problem
from files.web.api.shapes.contents import BatchIn, BatchOut, SmallIn, SmallOut
from files.web.transfers.structured import byte_sequence

router = Router(tags=["contents"])

ADD = Needs(Scope.ADD)


@router.post(
    "/{uuid:folder_id}/files",
    operation_id="storeFiles",
    auth=ADD,
    response=answers({201: BatchOut}, 404, 409, 422, 502),
    openapi_extra=IDEMPOTENT,
)
def store_files(request: HttpRequest, folder_id: UUID, batch: BatchIn) -> Any:
    """Store several small files in a folder, each under a new name: all of them, or none."""
    require(request, Permission.UPLOAD)
    folder = addable_folder(request, folder_id)

    @sensitive_variables()
    def store(keep: Keep) -> BatchOut:
        return _stored(request, folder, batch, keep)

    return once_stored(request, 201, store)


@sensitive_variables()
def _stored(request: HttpRequest, folder: Folder, batch: BatchIn, keep: Keep) -> BatchOut:
    files = [_small(one) for one in batch.files]
    told: list[BatchOut] = []

    def tell(records: list[FileRecord]) -> None:
        told.append(BatchOut(files=[_told(record) for record in records]))
        keep(told[0])

    batches.store(user_of(request), files, folder, program_of(request), check=tell)
    return told[0]


@sensitive_variables()
def _small(given: SmallIn) -> batches.Small:
    # As of a path: a name of a folder that it is to go to would be lost in silence.
    require_kept(given.name, is_file=True)
    try:
        content = base64.b64decode(given.content, validate=True)
    except ValueError:
        raise Problem("invalid", f"The content of “{given.name[:100]}” is not base64.") from None
    if given.sha256 is not None:
        found = hashlib.sha256(content).hexdigest()
        if not hmac.compare_digest(found, given.sha256):
            raise Problem(
                "digest_mismatch",
                f"What came of “{given.name[:100]}” is not what its digest says. Nothing was "
                "stored.",
            )
    return batches.Small(given.name, content, given.content_type, given.modified_at)


def _told(record: FileRecord) -> SmallOut:
    """What is stored, by the digests of what was written and read back."""
    digests = opening.digests_of(record.current)
    return SmallOut(
        id=record.pk,
        name=record.name,
        size=record.size,
        version=record.version,
        sha256=digests.sha256.hex() if digests and digests.sha256 else None,
        content_chain=byte_sequence(digests.chain) if digests else None,
    )
