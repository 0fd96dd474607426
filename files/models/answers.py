"""Answers to programs, kept for a while: a creation that is asked for twice is done once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.db import models
from django.utils import timezone

KEPT: Final = timedelta(days=1)
"""How long the same request again is answered alike."""


class KeptAnswer(models.Model):
    """What a program was answered that gave its request an `Idempotency-Key`.

    Never has a secret in it: where an answer had one, only its status and the id are kept.
    """

    token_id = models.BigIntegerField()
    # A digest: what a client takes for a key may be anything.
    key = models.CharField(max_length=64)
    # A digest of method, path and body.
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    made_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["token_id", "key"], name="keptanswer_once")
        ]

    def __str__(self) -> str:
        return f"{self.status} to token {self.token_id}"
