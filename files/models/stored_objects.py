"""Encryptions: what is in the store for a file, its wrapped key, and its life.

The rules that must hold whatever the code does are constraints here. Must never touch the store or
a key.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import WrappedKey
from files.crypto.stream.keys import Context
from runtime.statements import NUMBER, TEXT, statement


class Custody(models.TextChoices):
    """Who holds what it takes to read a file."""

    MANAGED = KeyCustody.MANAGED.value, gettext_lazy("Managed: a grant is enough")
    HELD = KeyCustody.HELD.value, gettext_lazy("Held: a grant and the file's own key")


class StoredObject(models.Model):
    """One encryption of one file: its object in the store, its wrapped key, its life.

    The row is committed before the first byte goes to the store, and doomed before the object is
    deleted: whatever is killed, and whenever, a row says what is left to clean up. For the same
    reason `file_id` is no foreign key: the row comes before its file and outlives it.
    """

    class State(models.TextChoices):
        WRITING = "writing", gettext_lazy("being written")
        LIVE = "live", gettext_lazy("live")
        KEPT = "kept", gettext_lazy("kept as a former version")
        DOOMED = "doomed", gettext_lazy("to be deleted")
        DAMAGED = "damaged", gettext_lazy("damaged in the store")
        KEPT_DAMAGED = "kept_bad", gettext_lazy("kept as a former version, damaged in the store")

    SOUND: ClassVar = (State.LIVE, State.KEPT)
    """To be read."""
    SPOILT: ClassVar = (State.DAMAGED, State.KEPT_DAMAGED)
    """Found to be not what was written."""
    LIVING: ClassVar = (*SOUND, *SPOILT)
    """A version of a file, the current one or a former one."""

    file_id = models.UUIDField(gettext_lazy("file id"), db_index=True)
    stream_id = models.UUIDField(unique=True, default=uuid.uuid4)
    object_name = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.WRITING)
    custody = models.CharField(max_length=8, choices=Custody, default=Custody.MANAGED)
    master_key_id = models.CharField(max_length=128)
    wrapped_key = models.BinaryField()
    past_master_key_ids = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text=gettext_lazy("As `files.keys.wrapping_history` keeps them."),
    )
    sealed = models.BooleanField(
        default=False, help_text=gettext_lazy("The wrapped key binds the final size.")
    )
    size = models.PositiveBigIntegerField(
        default=0, help_text=gettext_lazy("Plaintext bytes; 0 until sealed.")
    )
    object_size = models.PositiveBigIntegerField(default=0)
    etag = models.CharField(max_length=128, blank=True)
    reserved = models.PositiveBigIntegerField(
        default=0,
        help_text=gettext_lazy("Bytes of its creator's quota that an upload has reserved."),
    )
    multipart_id = models.CharField(max_length=1024, blank=True)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # Whose quota it counts in while it is written: the owner of the folder that it goes to.
    charged_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    # Who sends it through a request, while it is written.
    sender = models.ForeignKey(
        "files.Sender", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    # What is safe in the store of an upload that can be resumed (docs/uploads.md).
    offset = models.PositiveBigIntegerField(
        default=0, help_text=gettext_lazy("Plaintext bytes that are safe.")
    )
    part_frames = models.PositiveIntegerField(default=0)
    etags = models.JSONField(default=list, blank=True)
    tails = models.JSONField(default=list, blank=True)
    carry = models.BinaryField(default=bytes, blank=True)
    chain = models.BinaryField(
        null=True, blank=True, help_text=gettext_lazy("The content chain before the carry, sealed.")
    )
    digest = models.BinaryField(
        null=True,
        blank=True,
        help_text=gettext_lazy("The digests of the plaintext, sealed; of a live one."),
    )
    # Who writes at the moment, and when it was last heard of; empty while nobody does.
    lease = models.CharField(max_length=255, blank=True)
    lease_seen_at = models.DateTimeField(null=True, blank=True)
    reencrypts = models.BooleanField(
        default=False,
        help_text=gettext_lazy("Was begun to take the place of its file's current object."),
    )
    stream_created_at = models.PositiveBigIntegerField(
        help_text=gettext_lazy("Unix seconds; part of what the stream's keys are derived from.")
    )
    created_at = models.DateTimeField(default=timezone.now)
    state_changed_at = models.DateTimeField(default=timezone.now)
    verified_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "When all of it was last found to be as written; of held ones, what shows."
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(state="writing", sealed=False)
                | Q(state="doomed")
                | Q(state__in=["live", "kept", "damaged", "kept_bad"], sealed=True),
                name="storedobject_live_is_sealed",
            ),
            models.CheckConstraint(
                condition=Q(sealed=True) | Q(size=0, object_size=0),
                name="storedobject_size_is_sealed",
            ),
            models.UniqueConstraint(
                fields=["file_id"],
                condition=Q(state__in=["live", "damaged"]),
                name="storedobject_one_live_per_file",
            ),
            # So that two runs never re-encrypt one file at once; any number of versions may arrive.
            models.UniqueConstraint(
                fields=["file_id"],
                condition=Q(state="writing", reencrypts=True),
                name="storedobject_one_reencryption_per_file",
            ),
        ]
        # None that holds a key: a rotation then changes no index (migration 0011).
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "state_changed_at"], name="storedobject_by_state"),
            models.Index(fields=["verified_at", "id"], name="storedobject_by_verified"),
            models.Index(
                fields=["creator"], condition=Q(state="writing"), name="storedobject_writing_by"
            ),
            models.Index(
                fields=["charged_to"],
                condition=Q(state="writing"),
                name="storedobject_writing_for",
            ),
            models.Index(
                fields=["sender"],
                condition=Q(sender__isnull=False),
                name="storedobject_from_outside",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.object_name} ({self.state})"

    @property
    def context(self) -> Context:
        """What this stream's keys are derived for (docs/stream-format.md, Keys)."""
        return Context(self.file_id, self.stream_id, self.stream_created_at)

    @property
    def wrapped(self) -> WrappedKey:
        """The wrapped key as the keyring takes it."""
        return WrappedKey(self.master_key_id, bytes(self.wrapped_key))

    def change(self, under: str, /, **fields: Any) -> bool:
        """Change the row, and this copy of it, while it is being written under that lease.

        Whether it was: what another process has done meanwhile stays.
        """
        if not _writing.update(fields, pk=self.pk, lease=under):
            return False
        for name, value in fields.items():
            setattr(self, name, value)
        return True


@statement(pk=NUMBER, lease=TEXT)
def _writing(pk: Any, lease: Any) -> models.QuerySet[StoredObject]:
    return StoredObject.objects.filter(pk=pk, state=StoredObject.State.WRITING, lease=lease)
