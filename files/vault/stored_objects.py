"""One encryption of a file: its row, its wrapped key, its object in the store.

The row is committed before the first byte goes out, and says `doomed` before an object is deleted:
so a sweep can finish, whatever fails and wherever the process dies. Must never be called by a page:
`storing`, `opening` and `removing` are what a file is for people.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from django.core.files.storage import default_storage
from django.db import transaction

from accounts.models import User
from files.crypto.digests import seal_digests
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import KeyRecord, KeyState
from files.crypto.keyring import Keyring
from files.crypto.stream.keys import Context, derive_keys, generate_dek
from files.errors import UploadLost
from files.keys import custody
from files.keys.master_keys import keyring
from files.keys.wrapping import remember_wrapping, wrapping_keyring
from files.models import Custody, Sender, StoredObject
from files.storage import EncryptedS3Storage, ObjectKey, ObjectMissing, SealedObject
from files.storage.backend import random_object_name
from runtime import clock
from runtime.connections import release
from runtime.inserting import insert

State = StoredObject.State

REENCRYPTION_EXPIRY = timedelta(minutes=10)
"""A re-encryption that was not heard of for this long is dead: its writer beats much faster."""


def storage() -> EncryptedS3Storage:
    """The configured storage, for calls that take their time: no connection is held meanwhile."""
    release()
    return cast("EncryptedS3Storage", default_storage)


def check_store() -> None:
    """Raise StoreError unless the bucket answers."""
    storage().check()


def begin_object(
    file_id: uuid.UUID,
    dek: bytes,
    *,
    creator: User | None,
    charged_to: User | None = None,
    name: str | None = None,
    in_custody: Custody = Custody.MANAGED,
    lease: str = "",
    sender: Sender | None = None,
) -> StoredObject:
    """Commit the row of an object that is about to be written, by whoever has the `lease`.

    `charged_to` is whose quota it counts in; left out, its creator's. Of what a `sender` sends
    through a request, nobody is the creator.
    """
    row = _new_row(
        wrapping_keyring(),
        file_id,
        dek,
        object_name=name or random_object_name(),
        creator=creator if sender is None else None,
        charged_to=charged_to or creator,
        sender=sender,
        custody=in_custody,
        lease=lease,
    )
    insert(row)
    return row


def begin_objects(
    deks: Sequence[bytes], sizes: Sequence[int], *, creator: User, charged_to: User
) -> list[StoredObject]:
    """Commit the rows of several objects, each of a new file of so many bytes. Two queries."""
    ring = wrapping_keyring()
    rows = [
        _new_row(
            ring,
            uuid.uuid4(),
            dek,
            object_name=random_object_name(),
            creator=creator,
            charged_to=charged_to,
            reserved=size,
        )
        for dek, size in zip(deks, sizes, strict=True)
    ]
    return StoredObject.objects.bulk_create(rows)


def _new_row(ring: Keyring, file_id: uuid.UUID, dek: bytes, **fields: Any) -> StoredObject:
    """The row of an object that is about to be written, its key wrapped; not saved yet."""
    moment = clock.now()
    row = StoredObject(
        file_id=file_id,
        stream_created_at=int(time.time()),
        lease_seen_at=moment if fields.get("lease") else None,
        state_changed_at=moment,
        **fields,
    )
    wrapped = ring.wrap(
        KeyRecord(
            state=KeyState.UPLOADING,
            context=row.context,
            size=0,
            commitment=derive_keys(dek, row.context).commitment,
            custody=KeyCustody(row.custody),
            material=dek,
        )
    )
    row.master_key_id, row.wrapped_key = wrapped.master_key_id, wrapped.token
    return row


def ring_for(rows: Sequence[StoredObject]) -> Keyring:
    """What seals these rows, once which key wraps each by now is on record. Two queries, mostly."""
    ring = wrapping_keyring()
    others = StoredObject.objects.filter(pk__in=[row.pk for row in rows])
    for row in others.exclude(master_key_id=ring.primary_id):
        remember_wrapping(row, ring.primary_id)
    return ring


def seal_object(
    row: StoredObject,
    dek: bytes,
    sealed: SealedObject,
    key: custody.UserKey | None = None,
    *,
    ring: Keyring | None = None,
    **fields: Any,
) -> None:
    """Turn a row of a verified object live, under the primary key of now. Raises UploadLost.

    With a user's `key` it is held, whatever it was while it was written. `fields` change with it.
    What only its upload needed goes: lists read this row with every file.
    The row's lease must be as `row` has it. For a transaction; `ring` is what `ring_for` has said
    in it.
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
    wrapped = (ring or wrapping_keyring()).wrap(locked)
    if ring is None:
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
        etags=[],
        tails=[],
        carry=b"",
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


def object_key(row: StoredObject, key: str | None = None) -> ObjectKey:
    """What opens a sealed object, every bound field checked. A held one takes its own `key`.

    Raises UnknownMasterKey, Damaged, KeyNeeded, WrongFileKey.
    """
    found = keyring().unwrap(
        row.wrapped, context=row.context, size=row.size, custody=KeyCustody(row.custody)
    )
    return ObjectKey(custody.unlock(found, key), row.context, found.size, found.commitment)


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
            return object_key(StoredObject.objects.get(object_name=name, state=State.LIVE))
        except StoredObject.DoesNotExist:
            raise ObjectMissing(f"no object {name}") from None

    def forget(self, name: str) -> None:
        """Drop the row of an object that belongs to no file."""
        StoredObject.objects.filter(object_name=name, file=None).delete()
