"""What is remembered of keys: never a key, but for the short while in which it is offered."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from files.crypto.keyrecord import WrappedKey
from files.models.stored_objects import StoredObject


class MasterKey(models.Model):
    """What is remembered of a master key by its id; never the key, and only where it matters."""

    key_id = models.CharField(max_length=128, primary_key=True)
    retired_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=gettext_lazy("Since then it may never wrap anything again."),
    )
    # How far a rewrap to this key has handed out rows.
    handed_out = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.key_id


class HeldKey(models.Model):
    """What is known of the key that a person holds to one stream: never the key itself.

    Except for a short while after it was made: until its owner has confirmed that it was saved, or
    `KEY_OFFER_MINUTES` are over, `offered` has it, sealed by the master key, so that an answer that
    was lost on its way does not leave a file that nobody can open.
    """

    object = models.OneToOneField(StoredObject, on_delete=models.CASCADE, related_name="held_key")
    derivation = models.CharField(
        max_length=128,
        blank=True,
        help_text=gettext_lazy("How a passphrase becomes the key; empty: it is none."),
    )
    offered = models.BinaryField(null=True, blank=True)
    offered_master_key_id = models.CharField(max_length=128, blank=True)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    saved_at = models.DateTimeField(
        null=True, blank=True, help_text=gettext_lazy("When its owner confirmed that it was saved.")
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(offered__isnull=True) | Q(saved_at__isnull=True, derivation=""),
                name="heldkey_offered_until_saved",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["made_at"], condition=Q(offered__isnull=False), name="heldkey_offered"
            ),
        ]

    def __str__(self) -> str:
        return f"the {'passphrase' if self.derivation else 'key'} of {self.object_id}"

    @property
    def sealed_offer(self) -> WrappedKey | None:
        """The key as long as it is offered, for `files.keys.custody` alone."""
        if self.offered is None:
            return None
        return WrappedKey(self.offered_master_key_id, bytes(self.offered))
