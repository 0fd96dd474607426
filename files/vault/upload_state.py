"""What of an upload is safe, as its row says: how far it is, which bytes they are, under which key.

Reads alone. Must never take the word of a row that does not authenticate.
"""

from __future__ import annotations

import logging

from files.crypto.carry import open_carry
from files.crypto.digests import EMPTY, ContentChain, Digests, open_state
from files.crypto.errors import Damaged, UnknownMasterKey
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import KeyState
from files.crypto.stream.layout import frames_per_part
from files.errors import KeysMissing, UploadLost
from files.keys.master_keys import keyring
from files.models import StoredObject, UploadSession
from files.storage import (
    Progress,
    Tail,
)
from files.vault import opening

log = logging.getLogger(__name__)
State = StoredObject.State


def chain_of(session: UploadSession) -> bytes | None:
    """The content chain of exactly the bytes that are safe; None where it cannot be told.

    Of a complete upload it is the file's, which the server can open while it is managed. Raises
    UploadLost, KeysMissing.
    """
    row = session.object
    if session.completed_at:
        return chain_in(opening.digests_of(row))
    return safe_chain(row, unwrapped(row)) if row.chain else _no_chain(row)


def chain_in(digests: Digests | None) -> bytes | None:
    """The content chain among these digests."""
    return digests.chain if digests else None


def _no_chain(row: StoredObject) -> bytes | None:
    """Of no bytes it is known; uploads that were begun before chains were kept have none."""
    return None if row.offset else EMPTY


def safe_chain(row: StoredObject, dek: bytes) -> bytes | None:
    """The content chain of what is safe of an upload. Raises UploadLost."""
    if not row.offset or not row.chain:
        return _no_chain(row)
    frames = progress_of(row, None).frames
    try:
        chain = ContentChain(frames, open_state(dek, row.context, frames, bytes(row.chain)))
        if row.carry:
            chain.update(open_carry(dek, row.context, frames, bytes(row.carry)))
    except Damaged as error:
        log.error("upload %s cannot be continued: %s", row.object_name, error)
        raise UploadLost from error
    return chain.value


def unwrapped(row: StoredObject) -> bytes:
    """The DEK of an upload that is not complete. Raises KeysMissing."""
    try:
        found = keyring().unwrap(
            row.wrapped,
            context=row.context,
            size=0,
            custody=KeyCustody(row.custody),
            state=KeyState.UPLOADING,
        )
    except UnknownMasterKey as unknown:
        raise KeysMissing({unknown.key_id: 1}) from unknown
    return found.material


def progress_of(row: StoredObject, size: int | None) -> Progress:
    """What of an upload is safe, as its row says."""
    # A multipart upload may have been begun, and no part of it confirmed.
    return Progress(
        part_frames=row.part_frames or frames_per_part(size),
        multipart_id=row.multipart_id,
        etags=tuple(row.etags),
        tails=tuple(Tail(**tail) for tail in row.tails),
        carry=bytes(row.carry),
        offset=row.offset,
        chain=bytes(row.chain or b""),
    )
