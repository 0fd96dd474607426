"""Which master keys the rows need, and which of them may still wrap.

Must never say that a key is needed by nobody while a row that somebody may read is under it.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet

from files.crypto.keyring import Keyring
from files.errors import KeyRetired, KeysMissing
from files.keys.master_keys import keyring
from files.keys.wrapping_history import with_past
from files.models import MasterKey, StoredObject
from runtime.statements import NUMBER, TEXT, statement


def needing_keys() -> QuerySet[StoredObject]:
    """Rows whose wrapped key somebody may still need: doomed objects are never read again."""
    return StoredObject.objects.exclude(state=StoredObject.State.DOOMED)


def keys_needed() -> dict[str, int]:
    """How many files and uploads in progress need each master key, by its id."""
    needed = needing_keys().values("master_key_id").annotate(n=Count("pk")).order_by()
    return {row["master_key_id"]: row["n"] for row in needed}


def check_keyring(needed: dict[str, int] | None = None) -> None:
    """Raise KeysMissing for what no configured key opens, KeyRetired where the primary was.

    `needed` is what `keys_needed` said a while ago: it looks at every object, so who asks often
    keeps it. Raises KeyServiceError where a service that is needed does not let its key be used.
    """
    ring = keyring()
    needed = keys_needed() if needed is None else needed
    missing = {key_id: count for key_id, count in needed.items() if key_id not in ring}
    if missing:
        raise KeysMissing(missing)
    refuse_retired(ring.primary_id)
    ring.check({ring.primary_id, *needed})


def refuse_retired(key_id: str) -> None:
    """Raise KeyRetired when that key was retired, and so may not wrap."""
    if _retired(key=key_id):
        raise KeyRetired(key_id)


@statement(key=TEXT)
def _retired(key: Any) -> QuerySet[Any, str]:
    retired = MasterKey.objects.order_by().filter(pk=key, retired_at__isnull=False)
    return retired.values_list("pk", flat=True)[:1]


def wrapping_keyring() -> Keyring:
    """The keyring, for wrapping something new. Raises KeyRetired.

    A process may still have the configuration from before its primary key was retired.
    """
    ring = keyring()
    refuse_retired(ring.primary_id)
    return ring


def remember_wrapping(row: StoredObject, new_key_id: str) -> None:
    """Keep on record which key wraps a row, right before another takes its place.

    For the transaction that changes the key: the row is locked until its end.
    """
    for past, old in _wrapped_by_another(row=row.pk, key=new_key_id):
        StoredObject.objects.filter(pk=row.pk).update(past_master_key_ids=with_past(past, old))


@statement(row=NUMBER, key=TEXT)
def _wrapped_by_another(row: Any, key: Any) -> QuerySet[Any, tuple[str, str]]:
    others = StoredObject.objects.order_by().filter(pk=row).exclude(master_key_id=key)
    return others.select_for_update(no_key=True).values_list("past_master_key_ids", "master_key_id")
