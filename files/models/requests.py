"""Requests: files that were asked of people without an account, who has sent some, and what came.

A request is never deleted while its folder is there: like a grant it is history. Must never hold
its token, nor what a sender's browser is known by: digests alone. Who may still send through one
is said by `files.access` and `files.vault.outside`.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from files.models.folders import Folder
from files.models.records import FileRecord
from files.records.names import MAX_NAME_BYTES

MAX_TITLE = 120
MAX_WORDS = 2_000
MAX_SENDER = 80
"""Characters of what somebody calls themselves; it is the name of their folder, too."""


class FileRequestQuerySet(models.QuerySet["FileRequest"]):
    def lasting(self, at: datetime | None = None) -> FileRequestQuerySet:
        """Requests that have not ended by that moment, by default now."""
        return self.filter(ended_at__isnull=True, expires_at__gt=at or timezone.now())


class FileRequest(models.Model):
    """That people without an account may add files to a folder, by an address that holds a token.

    Each of them has a folder of their own below it.
    """

    class Identify(models.TextChoices):
        NAME = "name", _("They say their name")
        CODE = "code", _("They have a code sent to their mail address")

    folder = models.ForeignKey(
        Folder, on_delete=models.CASCADE, related_name="requests", editable=False
    )
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="requests",
    )
    title = models.CharField(max_length=MAX_TITLE)
    words = models.TextField(max_length=MAX_WORDS, blank=True)
    token_digest = models.CharField(
        max_length=64, unique=True, editable=False, help_text=_("SHA-256, in hexadecimal.")
    )
    identify = models.CharField(max_length=8, choices=Identify, default=Identify.NAME)
    addresses: models.JSONField[list[str], list[str]] = models.JSONField(
        default=list,
        blank=True,
        help_text=_("Who a code is sent to; empty: to the domains that are allowed."),
    )
    most_bytes = models.PositiveBigIntegerField(
        help_text=_("Bytes that it takes in all, of all senders.")
    )
    most_files = models.PositiveIntegerField(null=True, blank=True)
    most_senders = models.PositiveIntegerField(null=True, blank=True)
    accept_first = models.BooleanField(
        default=False, help_text=_("What is sent waits until the requester accepts it.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
    )

    wrong_codes = models.PositiveIntegerField(default=0, editable=False)
    wrong_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = FileRequestQuerySet.as_manager()

    class Meta:
        default_permissions = ("view", "change")
        permissions = (
            ("add_request", "Can ask people outside for files, for folders they manage"),
        )
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def fingerprint(self) -> str:
        """The beginning of its token's digest, by which its event knows it."""
        return self.token_digest[:16]

    @property
    def is_over(self) -> bool:
        """Whether it has ended, by its time or by somebody's word."""
        return self.ended_at is not None or self.expires_at <= timezone.now()


class Sender(models.Model):
    """Somebody who sends through a request: under the name that they said, or by their address."""

    request = models.ForeignKey(FileRequest, on_delete=models.CASCADE, related_name="senders")
    name = models.CharField(max_length=MAX_SENDER)
    email = models.EmailField(
        blank=True, help_text=_("Where a code went that they had; empty where none was asked for.")
    )
    # Each is made when the first file comes there.
    folder = models.ForeignKey(
        Folder, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    waiting = models.OneToOneField(
        Folder,
        on_delete=models.SET_NULL,
        null=True,
        related_name="waits_for",
        editable=False,
        help_text=_("Where what they sent lies until it is accepted: it sleeps as in the trash."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        default_permissions = ()
        ordering: ClassVar[list[str]] = ["created_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["request", "email"],
                condition=~Q(email=""),
                name="sender_once_per_address",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Received(models.Model):
    """One file that came through a request. It stays when the file goes: it was counted."""

    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="received")
    file = models.OneToOneField(
        FileRecord, on_delete=models.SET_NULL, null=True, related_name="received"
    )
    name = models.CharField(max_length=MAX_NAME_BYTES, help_text=_("As its sender called it."))
    size = models.PositiveBigIntegerField()
    # A digest of what tells the browser that sent it from others: whom the receipt is shown.
    browser = models.CharField(max_length=64, blank=True, editable=False)
    at = models.DateTimeField(default=timezone.now, editable=False)
    # Both empty while it waits.
    accepted_at = models.DateTimeField(null=True, blank=True)
    declined_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(declined_at__isnull=True),
                name="received_accepted_or_declined",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} from {self.sender_id}"
