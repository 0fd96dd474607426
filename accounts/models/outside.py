"""Codes that people outside were sent (`accounts.outside`).

Never has a code or an address: HMACs alone.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class OutsideCode(models.Model):
    """A code that somebody outside was sent, until it is used or over.

    See `accounts.outside.codes`. Neither the code nor the address is here: HMACs alone.
    """

    door = models.CharField(max_length=40)
    address = models.CharField(max_length=64)
    code = models.CharField(max_length=64, editable=False)
    tries = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["door", "address"], name="outside_code_once")
        ]

    def __str__(self) -> str:
        return f"code for {self.door}"
