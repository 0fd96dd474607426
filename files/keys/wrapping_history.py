"""Which master keys wrapped a stream's key before the one that wraps it now.

Who had such a key and a copy of the database from then can read the object until the file is
re-encrypted under another DEK: `rotate_file_keys --master-key` finds it by this. It is text in the
object's own row, so that a new wrapping and what it replaces are one write. Nothing is ever taken
from it.
"""

from __future__ import annotations

from django.db.models import Q, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan


def with_past(past: str, key_id: str) -> str:
    """The ids with one more, each between spaces; those that are there already stay alone."""
    return past if f" {key_id} " in past else f"{past or ' '}{key_id} "


def ids_in(past: str) -> list[str]:
    """The ids, the oldest first."""
    return past.split()


def was_under(key_id: str, field: str = "past_master_key_ids") -> Q:
    """The condition that a key wrapped before; `field` is the way to the ids."""
    return Q(GreaterThan(StrIndex(field, Value(f" {key_id} ")), 0))
