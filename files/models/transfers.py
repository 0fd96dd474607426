"""Uploads and downloads under way. Must never hold a byte of a file in clear."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from files.models.folders import Folder
from files.models.stored_objects import Custody, StoredObject
from files.records.names import MAX_NAME_BYTES, UNKNOWN_TYPE


class Conflict(models.TextChoices):
    """What becomes of an upload whose name is taken in its folder."""

    VERSION = "version", gettext_lazy("Make it a new version")
    RENAME = "rename", gettext_lazy("Keep both: the new one gets a number")
    REFUSE = "refuse", gettext_lazy("Refuse it")


class UploadSession(models.Model):
    """A resumable upload as its client knows it; it stays until it expires, also when complete.

    So a client whose last answer was lost can still ask what became of its file.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    object = models.OneToOneField(StoredObject, on_delete=models.CASCADE, related_name="session")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="upload_sessions"
    )
    # Who sends it through a request of its owner's; empty for all that owners do themselves.
    sender = models.ForeignKey(
        "files.Sender", on_delete=models.CASCADE, null=True, related_name="uploads", db_index=False
    )
    # Empty: the root of its owner.
    folder = models.ForeignKey(Folder, on_delete=models.SET_NULL, null=True, related_name="+")
    conflict = models.CharField(
        max_length=8, choices=Conflict, default=Conflict.RENAME, db_default=Conflict.RENAME
    )
    name = models.CharField(max_length=MAX_NAME_BYTES)
    content_type = models.CharField(max_length=255, default=UNKNOWN_TYPE)
    custody = models.CharField(max_length=8, choices=Custody, default=Custody.MANAGED)
    length = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text=gettext_lazy("Bytes of the original; empty until the client says."),
    )
    metadata = models.TextField(
        blank=True, help_text=gettext_lazy("The client's Upload-Metadata, as sent.")
    )
    modified_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=gettext_lazy("When the original was last changed, as its client says."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"upload {self.id}"

    @property
    def offset(self) -> int:
        """Plaintext bytes that are safe."""
        return self.object.size if self.completed_at else self.object.offset

    @property
    def expires_at(self) -> datetime:
        """When a sweep may take it away, unless more bytes come before."""
        moved: datetime = self.object.state_changed_at
        expiry: timedelta = settings.UPLOAD_EXPIRY
        if not self.offset and not self.completed_at:
            expiry = min(expiry, settings.EMPTY_UPLOAD_EXPIRY)
        return moved + expiry


class DownloadSession(models.Model):
    """A download under way: what was sent of it, until it is one event (`files.vault.downloading`).

    Like an event it has no foreign keys: it outlives what it names.
    """

    # What its later requests find it by; empty where none may join it.
    slot = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001
    file_id = models.UUIDField()
    version = models.UUIDField(
        null=True, help_text=gettext_lazy("The former version that is sent, if it is one.")
    )
    size = models.PositiveBigIntegerField()
    actor_id = models.BigIntegerField()
    actor_name = models.CharField(max_length=150)
    address = models.CharField(max_length=45)
    user_agent = models.TextField()
    request_id = models.CharField(max_length=32)
    grant_id = models.BigIntegerField(null=True)
    token_id = models.BigIntegerField(
        null=True, help_text=gettext_lazy("The program's token, if it was one.")
    )
    token_name = models.CharField(max_length=60, blank=True, default="", db_default="")
    link_id = models.BigIntegerField(
        null=True, help_text=gettext_lazy("The link that somebody outside came by.")
    )
    begun_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    whole = models.BooleanField(
        help_text=gettext_lazy("One of its requests was for the whole file.")
    )
    requests = models.PositiveIntegerField()
    running = models.PositiveIntegerField(help_text=gettext_lazy("Requests that have not ended."))
    bytes = models.PositiveBigIntegerField(default=0)
    covered: models.JSONField[list[list[int]], list[list[int]]] = models.JSONField(default=list)
    settled = models.BooleanField(
        default=False,
        help_text=gettext_lazy("Its event is written; some requests may still belong to it."),
    )

    def __str__(self) -> str:
        return f"download of {self.file_id}"

    @property
    def is_complete(self) -> bool:
        """Whether every byte was sent at least once."""
        return self.covered == ([[0, self.size]] if self.size else [])
