"""The seeds of second factors: encrypted by the keyring, counted and rewrapped as files' keys are.

A seed is kept as text, ``k1:<master key id>:<token in URL-safe base64>``, in the data of allauth's
authenticators. Whoever has the database and no master key cannot compute a code. Never falls back:
text that is not of this form is refused, not taken for a seed.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts import adapter
from files.crypto.errors import CryptoError, Damaged, UnknownMasterKey
from files.crypto.keyrecord import WrappedKey
from files.errors import KeysMissing
from files.keys import wrapping
from files.keys.master_keys import keyring

log = logging.getLogger(__name__)

PURPOSE = "securestore/second-factor/1"
_FORM = re.compile(r"k1:(?P<key>[^\s]+):(?P<token>[A-Za-z0-9_=-]+)", re.ASCII)
# Where allauth keeps seeds in an authenticator's data: of TOTP, of recovery codes.
_SEEDS = ("secret", "seed")
_BATCH = 200  # Rows read at a time.


def encrypt(text: str) -> str:
    """The seed, wrapped under the primary master key, as text for the database.

    Raises KeyRetired.
    """
    return _as_text(wrapping.wrapping_keyring().wrap_secret(text.encode(), PURPOSE))


def decrypt(text: str) -> str:
    """The seed that `encrypt` wrapped. Raises KeysMissing; Damaged when the text was altered."""
    wrapped = _parse(text)
    try:
        return keyring().unwrap_secret(wrapped, PURPOSE).decode()
    except UnknownMasterKey as unknown:
        raise KeysMissing({unknown.key_id: 1}) from unknown


def secrets_by_key() -> dict[str, int]:
    """How many seeds each master key wraps, by the key's id. Altered ones belong to none."""
    return dict(Counter(wrapped.master_key_id for wrapped in _wrapped_seeds()))


def unreadable_by_key() -> dict[str, int]:
    """How many seeds of each configured master key do not open. Raises KeyServiceError."""
    ring = keyring()
    counts: Counter[str] = Counter()
    for wrapped in _wrapped_seeds():
        if wrapped.master_key_id in ring:
            try:
                ring.unwrap_secret(wrapped, PURPOSE)
            except CryptoError:
                counts[wrapped.master_key_id] += 1
    return dict(counts)


def _wrapped_seeds() -> Iterator[WrappedKey]:
    """Every seed as it is wrapped, in one query; altered ones are left out."""
    rows = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN)
    for data in rows.values_list("data", flat=True).iterator():
        for name in _SEEDS:
            if name in data:
                with suppress(Damaged):
                    yield _parse(str(data[name]))


def rewrap_secrets(
    *, dry_run: bool = False, progress: Callable[[int], object] | None = None
) -> tuple[int, int]:
    """Wrap every seed under the primary master key: how many were, and how many do not open.

    Killed and run again, it goes on. Sign-in goes on meanwhile: a seed is changed only where it
    still is what was read. One that does not open is logged and left as it is. `progress` is told
    1 for each seed that was under another key.
    """
    ring = keyring()
    rewrapped = unreadable = 0
    for row, name, text in _seeds():
        try:
            wrapped = _parse(text)
            if wrapped.master_key_id == ring.primary_id:
                continue
            new = _as_text(ring.rewrap_secret(wrapped, PURPOSE))
        except CryptoError as error:
            unreadable += 1
            log.error("second factor %s of user %s: %s", row.pk, row.user_id, error)
        else:
            rewrapped += dry_run or _swap(row.pk, name, text, new)
        if progress is not None:
            progress(1)
    return rewrapped, unreadable


def _seeds() -> Iterator[tuple[Authenticator, str, str]]:
    """Every seed in the database: its row, its name in the row's data, its text."""
    last = 0
    pending = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk")
    while rows := list(pending.filter(pk__gt=last)[:_BATCH]):
        last = rows[-1].pk
        for row in rows:
            for name in _SEEDS:
                if name in row.data:
                    yield row, name, str(row.data[name])


def _swap(pk: int, name: str, old: str, new: str) -> bool:
    """Replace one seed's text if it still is `old`; the rest of its row may have moved on."""
    with transaction.atomic():
        row: Any = Authenticator.objects.select_for_update(no_key=True).filter(pk=pk).first()
        if row is None or row.data.get(name) != old:
            return False
        row.data[name] = new
        row.save(update_fields=["data"])
    return True


class MFAAdapter(adapter.MFAAdapter):
    """The site's second factors, whose seeds go through the keyring."""

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)

    def still_readable(self, encrypted_text: str) -> str | None:
        try:
            return decrypt(encrypted_text)
        except (CryptoError, KeysMissing):
            return None


def _as_text(wrapped: WrappedKey) -> str:
    return f"k1:{wrapped.master_key_id}:{base64.urlsafe_b64encode(wrapped.token).decode()}"


def _parse(text: str) -> WrappedKey:
    form = _FORM.fullmatch(text)
    if form is None:
        raise Damaged("not a wrapped secret")
    try:
        token = base64.b64decode(form["token"], altchars=b"-_", validate=True)
    except binascii.Error:
        raise Damaged("not a wrapped secret") from None
    return WrappedKey(form["key"], token)
