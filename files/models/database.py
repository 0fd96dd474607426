"""What the database says of itself: that it takes writes, and that it is in service."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone


class Pulse(models.Model):
    """The one row that `files.upkeep.pulse` writes to learn whether the database takes writes."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"written at {self.at}"


class DatabaseState(models.Model):
    """That this database is not in service, and why; no row where it is (`runtime.database_state`).

    `progress` says how far a move into this database is: of each table the last key, and whether it
    is complete. One that was moved stays so: triggers see to it (migration 0015).
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    state = models.CharField(max_length=8)
    move = models.UUIDField(help_text="The same at both ends.")
    other = models.CharField(max_length=255, help_text="The other database, without a password.")
    since = models.DateTimeField(default=timezone.now)
    progress: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(id=1), name="databasestate_one"),
        ]

    def __str__(self) -> str:
        return f"{self.state}: {self.other}"
