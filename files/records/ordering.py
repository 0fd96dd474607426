"""Where a file stands in the order of lists: one number, greater for newer files.

Lists, pages and the search index all go by it, so that one index gives a page, a cursor is a
number, and SQLite's full-text index has a row number that no VACUUM changes. It is the time of
creation in microseconds with eleven bits that tell apart what came in the same one, and never
changes: triggers of the database see to that (migration 0009).
"""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIES = 1 << 11
FIRST, LAST = -(1 << 63), (1 << 63) - 1
"""The bounds of the number, which a database keeps in 64 bits: the years 1828 to 2112."""


class Places:
    """Gives each new file its place. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment, self._tie = 0, 0

    def at(self, created_at: datetime) -> int:
        """A place for a file of that time, another one at each call."""
        moment = (created_at - _EPOCH) // timedelta(microseconds=1)
        with self._lock:
            # Random, so that it does not tell how much others store.
            follows = moment == self._moment
            self._tie = (self._tie + 1) % TIES if follows else secrets.randbelow(TIES)
            self._moment = moment
            return min(max(moment * TIES + self._tie, FIRST), LAST)


_places = Places()


class PlaceField(models.BigIntegerField[Any, Any]):
    """A file's place, from its `created_at`; set when the row is first saved, singly or in bulk."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if add and getattr(model_instance, self.attname) is None:
            setattr(model_instance, self.attname, _places.at(model_instance.created_at))  # type: ignore[attr-defined]
        return super().pre_save(model_instance, add)


class FilePlaceField(models.BigIntegerField[Any, Any]):
    """The place of the file that a row belongs to, so that an index of the rows has its order.

    Empty where the row belongs to none.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        file = model_instance.file  # type: ignore[attr-defined]
        if getattr(model_instance, self.attname) is None and file is not None:
            setattr(model_instance, self.attname, file.place)
        return super().pre_save(model_instance, add)
