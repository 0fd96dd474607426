"""The keys of mails that wait: wrapped by the keyring, counted and rewrapped as files' keys are.

Each mail has a key of its own, which encrypts what it says until it was sent (`notices.sealing`).
Whoever has the database and no master key reads no link of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db.models import Count, QuerySet

from files.crypto.errors import CryptoError, KeyServiceError, UnknownMasterKey
from files.crypto.keyrecord import WrappedKey
from files.errors import KeyRetired
from files.keys import wrapping
from files.keys.master_keys import keyring
from notices import sealing
from notices.models import Mail

log = logging.getLogger(__name__)

PURPOSE = "securestore/waiting-mail/1"
_BATCH = 200  # Rows read at a time.


class Keys(sealing.Keys):
    """What the queue of mails is given (`settings.MAIL_KEYS`)."""

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        try:
            wrapped = wrapping.wrapping_keyring().wrap_secret(key, PURPOSE)
        except (KeyServiceError, KeyRetired) as error:
            raise sealing.KeyAway(str(error)) from error
        return wrapped.master_key_id, wrapped.token

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        try:
            return keyring().unwrap_secret(WrappedKey(key_id, wrapped), PURPOSE)
        except UnknownMasterKey:
            raise sealing.KeyAway(f"master key {key_id} is not configured") from None
        except KeyServiceError as error:
            raise sealing.KeyAway(str(error)) from error
        except CryptoError:
            raise sealing.Altered(sealing.OTHER_KEY) from None


def _sealed() -> QuerySet[Mail]:
    return Mail.objects.exclude(master_key_id="").order_by("pk")


def mails_by_key() -> dict[str, int]:
    """How many waiting mails each master key wraps, by the key's id."""
    rows = _sealed().order_by().values("master_key_id").annotate(n=Count("pk"))
    return {row["master_key_id"]: row["n"] for row in rows}


def rewrap_mails() -> int:
    """Wrap the keys of waiting mails under the primary master key: how many were.

    Killed and run again, it goes on. Mails go out meanwhile: a key is changed only where it still
    is what was read. One that does not open is logged, and given up when its turn comes.
    """
    ring, rewrapped = keyring(), 0
    for row in _under_others(ring.primary_id):
        old = bytes(row.wrapped_key or b"")
        try:
            new = ring.rewrap_secret(WrappedKey(row.master_key_id, old), PURPOSE)
        except CryptoError as error:
            log.error("mail %s: %s", row.message_id, error)
            continue
        rewrapped += Mail.objects.filter(pk=row.pk, wrapped_key=old).update(
            wrapped_key=new.token, master_key_id=new.master_key_id
        )
    return rewrapped


def _under_others(primary_id: str) -> Iterator[Mail]:
    last = 0
    pending = _sealed().exclude(master_key_id=primary_id)
    while rows := list(pending.filter(pk__gt=last)[:_BATCH]):
        last = rows[-1].pk
        yield from rows
