"""The end of a master key: once nothing needs it, it is marked, and may never wrap again.

Retiring is refused while anything that somebody may still read depends on the key. Objects that
are to be deleted do not: nobody reads them but downloads that run already, and those have the
key. It never forgets a retired key, and never touches the configuration: that is the operator's.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Case, Count, Q, Value, When
from django.utils import timezone

import audit
from audit import Event
from files.errors import VaultError
from files.keys import custody, second_factors, waiting_mails, wrapping
from files.keys.master_keys import keyring
from files.keys.wrapping_history import was_under
from files.models import MasterKey, StoredObject

State = StoredObject.State

_IN_WORDS = Case(
    When(state=State.LIVE, then=Value("live files")),
    When(state=State.KEPT, then=Value("former versions")),
    When(state__in=StoredObject.SPOILT, then=Value("damaged files")),
    When(reencrypts=True, then=Value("re-encryptions in progress")),
    default=Value("uploads in progress"),
)
_ONE = {
    "live files": "live file",
    "former versions": "former version",
    "damaged files": "damaged file",
    "uploads in progress": "upload in progress",
    "re-encryptions in progress": "re-encryption in progress",
    "second factors": "second factor",
    "keys on offer": "key on offer",
    "waiting mails": "waiting mail",
}


class UnknownKey(VaultError):
    """Neither the configuration nor the database knows a key of that id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"No master key {key_id} is known here. key_report lists those that are.")


class KeyIsPrimary(VaultError):
    """The key still wraps what is new."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"{key_id} is the primary master key. Put a new one before it, run rotate_master_key, "
            "then retire this one."
        )


class KeyIsNeeded(VaultError):
    """Something still depends on the key: `needs` says how many of what."""

    def __init__(self, key_id: str, needs: dict[str, int]) -> None:
        self.needs = needs
        counted = ", ".join(
            f"{count} {_ONE[what] if count == 1 else what}" for what, count in needs.items()
        )
        missing = "" if key_id in keyring() else "put the key back into the configuration, "
        super().__init__(
            f"Master key {key_id} is still needed by {counted}. First {missing}run "
            "rotate_master_key, then retire it."
        )


def retire(key_id: str, *, dry_run: bool = False) -> bool:
    """Mark a key as retired; False where it was already.

    Raises UnknownKey, KeyIsPrimary, KeyIsNeeded.
    """
    ring = keyring()
    with transaction.atomic():
        known = MasterKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
        if known is None:
            check_known(key_id)
        if key_id == ring.primary_id:
            raise KeyIsPrimary(key_id)
        needs = needs_of(key_id)
        if needs:
            raise KeyIsNeeded(key_id, needs)
        if known is not None and known.retired_at is not None:
            return False
        if not dry_run:
            MasterKey.objects.update_or_create(pk=key_id, defaults={"retired_at": timezone.now()})
            audit.record(Event.KEY_RETIRED, master_key_id=key_id)
    return True


def needs_of(key_id: str) -> dict[str, int]:
    """What still needs the key, in words in the plural, and how many of each; never a 0."""
    rows = wrapping.needing_keys().filter(master_key_id=key_id).order_by()
    counted = rows.values_list(_IN_WORDS).annotate(n=Count("pk"))
    found = {
        **dict(counted),
        "second factors": second_factors.secrets_by_key().get(key_id, 0),
        "keys on offer": custody.offers_by_key().get(key_id, 0),
        "waiting mails": waiting_mails.mails_by_key().get(key_id, 0),
    }
    return {what: found[what] for what in _ONE if found.get(what)}


def configured_and_retired() -> list[str]:
    """The configured keys that were retired."""
    return list(retired(keyring().ids))


def retired(key_ids: Iterable[str]) -> Iterable[str]:
    """Those of the keys that were retired."""
    found = MasterKey.objects.filter(pk__in=key_ids, retired_at__isnull=False)
    return found.order_by("pk").values_list("pk", flat=True)


def check_known(key_id: str) -> None:
    """Refuse the id of a key that was never here: a typing error. Raises UnknownKey."""
    if not (
        key_id in keyring()
        or MasterKey.objects.filter(pk=key_id).exists()
        or StoredObject.objects.filter(Q(master_key_id=key_id) | was_under(key_id)).exists()
        or key_id in second_factors.secrets_by_key()
    ):
        raise UnknownKey(key_id)
