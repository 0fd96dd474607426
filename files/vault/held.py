"""The use cases of held files: unlock one, show its key again, confirm that it was saved.

Who asks has been found by the access rule before; that they may is not enough here, they must also
have the key. Every use is audited, and no event has a trace of what was typed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

import audit
from accounts.models import User
from audit import Event
from files.crypto.errors import CryptoError, Damaged, UnknownMasterKey
from files.crypto.keyrecord import Custody as KeyCustody
from files.errors import FileDamaged, KeysMissing, OfferOver, WrongFileKey
from files.keys import custody
from files.keys.master_keys import keyring
from files.keys.wrapping import remember_wrapping, wrapping_keyring
from files.models import FileRecord, HeldKey, StoredObject
from files.vault import opening

log = logging.getLogger(__name__)

MOMENT: Final = timedelta(minutes=10)
"""How long after an upload its client is told the key again without proving who it is anew."""


@sensitive_variables()
def unlock(record: FileRecord, typed: str, *, actor: User | None) -> str:
    """The file's own key, from the key or passphrase that was typed.

    Whoever lets people type keys limits how often: `accounts.limits.KEY_ENTRY`. Who is outside is
    no `actor`.

    Raises WrongFileKey, NotAKey, TooBusy, FileDamaged, KeysMissing.
    """
    try:
        key = custody.typed_key(record, typed)
        opening.open_file(record, key)
    except Damaged as error:
        log.error("file %s: its key cannot be derived: %s", record.pk, error)
        raise FileDamaged from error
    except WrongFileKey:
        audit.record(Event.WRONG_KEY, actor=actor, file_id=record.pk, **record.version_told)
        with_passphrase = bool(custody.derivation_of(record.current))
        raise WrongFileKey(passphrase=with_passphrase) from None
    with transaction.atomic():
        if actor is not None and record.current.creator_id == actor.pk:
            # Who was given it has it, which is all that a confirmation says.
            custody.confirm(record.current)
        audit.record(Event.FILE_UNLOCKED, actor=actor, file_id=record.pk, **record.version_told)
    return key


def is_fresh(record: FileRecord) -> bool:
    """Whether the file was stored a moment ago, so that its key is as good as being shown still."""
    held: HeldKey | None = getattr(record.current, "held_key", None)
    return held is not None and held.made_at + MOMENT > timezone.now()


def just_made(record: FileRecord, *, actor: User) -> str | None:
    """The key of a file that was completed a moment ago, for the client that did it.

    For as long as a client may be asking whether its upload is complete, and while it is offered.
    """
    return custody.offered_key(record.current, actor) if is_fresh(record) else None


def show(record: FileRecord, *, actor: User) -> str:
    """The key of a new file once more, for its owner. Raises OfferOver."""
    key = custody.offered_key(record.current, actor)
    if key is None:
        raise OfferOver
    audit.record(Event.KEY_SHOWN, actor=actor, file_id=record.pk)
    return key


@sensitive_variables()
def set_passphrase(record: FileRecord, passphrase: str, *, actor: User) -> None:
    """Lock a new file with its owner's passphrase, in the place of the key that is offered.

    Raises OfferOver, TooBusy, FileDamaged, KeysMissing.
    """
    row = record.current
    old = custody.offered_key(row, actor)
    if old is None:
        raise OfferOver
    new = custody.UserKey.from_passphrase(passphrase)
    with transaction.atomic():
        exchange_key(record, old, new)
        audit.record(Event.PASSPHRASE_SET, actor=actor, file_id=record.pk)


def confirm(record: FileRecord, *, actor: User) -> None:
    """The owner has saved the key: the server forgets it for good."""
    with transaction.atomic():
        if custody.confirm(record.current):
            audit.record(Event.KEY_SAVED, actor=actor, file_id=record.pk)


def exchange_key(record: FileRecord, old: str, new: custody.UserKey) -> None:
    """Lock a held file's DEK with another key of its owner's; its object stays as it is.

    For a transaction. Raises WrongFileKey, FileDamaged, KeysMissing.
    """
    row = StoredObject.objects.select_for_update(no_key=True).get(pk=record.current_id)
    try:
        found = keyring().unwrap(
            row.wrapped, context=row.context, size=row.size, custody=KeyCustody(row.custody)
        )
        bare = replace(found, custody=KeyCustody.MANAGED, material=custody.unlock(found, old))
    except UnknownMasterKey as unknown:
        raise KeysMissing({unknown.key_id: 1}) from unknown
    except CryptoError as error:
        log.error("file %s cannot be opened: %s", record.id, error)
        raise FileDamaged from error
    wrapped = wrapping_keyring().wrap(custody.lock(bare, new))
    remember_wrapping(row, wrapped.master_key_id)
    StoredObject.objects.filter(pk=row.pk).update(
        master_key_id=wrapped.master_key_id, wrapped_key=wrapped.token
    )
    custody.renote(row, new)
