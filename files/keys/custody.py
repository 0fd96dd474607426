"""Held custody: what a file's own key is, how it locks the file's DEK, and what is kept of it.

The server keeps the DEK wrapped by the user's key and by a master key. A generated key is kept
beside it, sealed by the master key, only until its owner has confirmed that it was saved, or for
`KEY_OFFER_MINUTES`: the answer that shows it may be lost on its way (docs/uploads.md, Held files).
A passphrase and what is derived from it are never kept.

No key may get from here into a log, an exception or a representation.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from files.crypto import errors as crypto
from files.crypto.errors import TooBusy
from files.crypto.fernetkey import check_user_key, generate_master_key
from files.crypto.heldkey import hold, release
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import KeyRecord
from files.crypto.passphrase import Derivation
from files.errors import KeyNeeded, NotAKey, WrongFileKey
from files.errors import TooBusy as VaultTooBusy
from files.keys.master_keys import keyring
from files.models import FileRecord, HeldKey, StoredObject
from runtime import connections

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UserKey:
    """A file's own key: a Fernet key as text, and how it comes from a passphrase if it does."""

    text: str = field(repr=False)
    derivation: str = ""

    @classmethod
    def generated(cls) -> Self:
        """A new random key, to be shown to its owner."""
        return cls(generate_master_key())

    @classmethod
    @sensitive_variables()
    def from_passphrase(cls, passphrase: str) -> Self:
        """The key that a passphrase gives under a new salt. Raises TooBusy."""
        derivation = Derivation.new()
        return cls(_derive(derivation, passphrase), derivation.encode())


@sensitive_variables()
def _derive(derivation: Derivation, passphrase: str) -> str:
    connections.release()  # Others may be before us, and none of us needs one meanwhile.
    try:
        return derivation.derive(passphrase)
    except TooBusy:
        raise VaultTooBusy from None


def derivation_of(row: StoredObject) -> str:
    """How a passphrase becomes the stream's key; empty where the key was generated."""
    # No such row is an AttributeError, too.
    held: HeldKey | None = getattr(row, "held_key", None)
    return held.derivation if held else ""


@sensitive_variables()
def typed_key(record: FileRecord, typed: str) -> str:
    """The key that somebody means by what they typed: a key, or this file's passphrase.

    Raises NotAKey, TooBusy, and crypto.Damaged when the record cannot say which.
    """
    derivation = derivation_of(record.current)
    if derivation:
        if not typed.strip():
            raise NotAKey
        return _derive(Derivation.decode(derivation), typed)
    try:
        return check_user_key(typed)
    except crypto.MalformedKey:
        raise NotAKey from None


# --- The DEK under both keys --------------------------------------------------------------------


def lock(record: KeyRecord, key: UserKey | None) -> KeyRecord:
    """The record of a bare DEK, held by that key where there is one."""
    if key is None:
        return record
    material = hold(record.material, key.text, record.context)
    return replace(record, custody=KeyCustody.HELD, material=material)


@sensitive_variables()
def unlock(record: KeyRecord, key: str | None) -> bytes:
    """The DEK of an unwrapped record; a held one takes the user's key.

    Raises KeyNeeded, WrongFileKey, NotAKey, and crypto.Damaged.
    """
    if record.custody is KeyCustody.MANAGED:
        return record.material
    if key is None:
        raise KeyNeeded
    try:
        return release(record.material, key, record.context)
    except crypto.WrongKey:
        raise WrongFileKey from None
    except crypto.MalformedKey:
        raise NotAKey from None


# --- What is kept of the key --------------------------------------------------------------------


@sensitive_variables()
def note(row: StoredObject, key: UserKey) -> None:
    """Note the key of a stream that has just been locked. For the transaction that seals it."""
    forget_lapsed()
    _note_of(row, key).save(force_insert=True)


def renote(row: StoredObject, key: UserKey) -> None:
    """Note that another key locks the stream now. For the transaction that does it."""
    HeldKey.objects.filter(object=row).delete()
    _note_of(row, key).save(force_insert=True)


def carry_over(old: StoredObject, new: StoredObject) -> None:
    """Note that the same key locks the stream that takes another's place: it has just been typed,
    so its owner has it. For the transaction that swaps the two.
    """
    HeldKey.objects.create(object=new, derivation=derivation_of(old), saved_at=timezone.now())


@sensitive_variables()
def _note_of(row: StoredObject, key: UserKey) -> HeldKey:
    held = HeldKey(object=row, derivation=key.derivation)
    if key.derivation:
        # Its owner has typed it twice: there is nothing to show, and nothing to be confirmed.
        held.saved_at = timezone.now()
    elif settings.KEY_OFFER:
        sealed = keyring().wrap_secret(key.text.encode(), _purpose(row))
        held.offered, held.offered_master_key_id = sealed.token, sealed.master_key_id
    return held


def _purpose(row: StoredObject) -> str:
    return f"securestore/offered-key/1 {row.file_id} {row.stream_id}"


def offer_ends(row: StoredObject) -> datetime | None:
    """Until when the key can be shown again; None where it no longer can."""
    held: HeldKey | None = getattr(row, "held_key", None)
    if held is None:
        return None
    ends: datetime = held.made_at + settings.KEY_OFFER
    return ends if held.offered is not None and ends > timezone.now() else None


def offered_key(row: StoredObject, to: User) -> str | None:
    """The key of a stream while it is still kept to be shown again, else None.

    It is for who uploaded the file: who was made its owner since must get it from them.
    """
    if row.creator_id != to.pk:
        return None
    fresh = StoredObject.objects.select_related("held_key").get(pk=row.pk)
    if offer_ends(fresh) is None or (sealed := fresh.held_key.sealed_offer) is None:
        return None
    try:
        return keyring().unwrap_secret(sealed, _purpose(row)).decode()
    except (crypto.Damaged, crypto.UnknownMasterKey):
        return None


def confirm(row: StoredObject) -> bool:
    """Forget the key for good, since its owner has it. False where that was known before."""
    waiting = HeldKey.objects.filter(object=row, saved_at=None)
    changes = {"saved_at": timezone.now(), "offered": None, "offered_master_key_id": ""}
    return bool(waiting.update(**changes))


def forget_lapsed(now: datetime | None = None) -> int:
    """Erase the keys whose time is over, confirmed or not, and those of doomed streams."""
    lapsed = Q(made_at__lte=(now or timezone.now()) - settings.KEY_OFFER)
    doomed = Q(object__state=StoredObject.State.DOOMED)
    found = HeldKey.objects.filter(lapsed | doomed, offered__isnull=False)
    return HeldKey.objects.filter(pk__in=found.values("pk")).update(
        offered=None, offered_master_key_id=""
    )


def offers_by_key() -> dict[str, int]:
    """How many keys are kept to be shown again, by the id of the master key that seals them."""
    offered = HeldKey.objects.filter(offered__isnull=False).order_by()
    rows = offered.values("offered_master_key_id").annotate(n=Count("pk"))
    return {row["offered_master_key_id"]: row["n"] for row in rows}


def rewrap_offers() -> int:
    """Seal them under the primary master key; how many were. One that does not open will lapse."""
    ring, rewrapped = keyring(), 0
    others = HeldKey.objects.filter(offered__isnull=False).select_related("object")
    for held in others.exclude(offered_master_key_id=ring.primary_id):
        if (sealed := held.sealed_offer) is None:
            continue
        try:
            new = ring.rewrap_secret(sealed, _purpose(held.object))
        except crypto.CryptoError as error:
            log.error("object %s: the key on offer: %s", held.object.object_name, error)
            continue
        # Unless it was confirmed or exchanged meanwhile.
        same = HeldKey.objects.filter(pk=held.pk, offered=sealed.token)
        rewrapped += same.update(offered=new.token, offered_master_key_id=new.master_key_id)
    return rewrapped
