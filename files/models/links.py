"""Links for people outside, and the downloads by them that are under way.

Must never hold the secret of a link's URL, nor decide who may have what: that is `files.access`.
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
from runtime import statements


class LinkQuerySet(models.QuerySet["Link"]):
    def open(self) -> LinkQuerySet:
        """Neither revoked nor over nor used up; whether they sleep is another question."""
        return self.filter(ended_at=None, revoked_at=None, expires_at__gt=statements.now())


class Link(models.Model):
    """A way to one file or folder for whoever has its URL. Never deleted: it is history.

    Of the URL only a digest is here. Who may come in is `files.sharing.links.visiting`.
    """

    # None is held by the database: code of the release before deletes what these name.
    file = models.ForeignKey(
        FileRecord, models.CASCADE, null=True, blank=True, related_name="links", db_constraint=False
    )
    folder = models.ForeignKey(
        Folder, models.CASCADE, null=True, blank=True, related_name="links", db_constraint=False
    )
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="links", db_constraint=False
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    label = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    password = models.CharField(max_length=255, blank=True, editable=False)
    addresses = models.TextField(
        blank=True, help_text=_("Addresses, and domains as @example.org, with spaces between them.")
    )
    most = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("How many downloads there may be; empty: any number.")
    )
    used = models.PositiveIntegerField(default=0, editable=False)
    charged = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text=_("Bytes that were sent, and those that running downloads may send."),
    )
    opened = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    last_opened_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    ended_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When the log was told that it is over.")
    )

    objects = LinkQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        verbose_name = _("link")
        verbose_name_plural = _("links")
        default_permissions = ("add", "view", "change")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(file__isnull=True, folder__isnull=False)
                | Q(file__isnull=False, folder__isnull=True),
                name="link_to_file_or_folder",
            ),
        ]

    def __str__(self) -> str:
        return self.label or str(_("link %(number)s") % {"number": self.pk})

    @property
    def target(self) -> FileRecord | Folder | None:
        """What it leads to; None where that is gone."""
        return self.file if self.folder_id is None else self.folder

    @property
    def fingerprint(self) -> str:
        """The beginning of its secret's digest, by which its event knows it."""
        return self.digest[:16]

    @property
    def protection(self) -> str:
        """What stands before it: a password, a code by mail, both; empty for neither."""
        parts = ("password" if self.password else "", "code" if self.addresses else "")
        return ", ".join(one for one in parts if one)

    @property
    def state(self) -> str:
        """`revoked`, `expired`, `exhausted` or `live`, whatever its maker's access is."""
        return self.state_at(timezone.now())

    def state_at(self, moment: datetime) -> str:
        """The state at that moment."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at <= moment:
            return "expired"
        return "exhausted" if self.left == 0 or self.ended_at is not None else "live"

    @property
    def left(self) -> int | None:
        """How many downloads are left; None where any number is."""
        return None if self.most is None else max(self.most - self.used, 0)

    @property
    def named(self) -> list[str]:
        """The addresses and domains to which codes are sent; none: it asks for no code."""
        return self.addresses.split()


class LinkDownload(models.Model):
    """One download by a link, as people count them, while it is under way or may be resumed.

    It has one of the link's downloads reserved while a request of it is running and was heard of
    lately. See `files.vault.counting`.
    """

    link = models.ForeignKey(Link, models.CASCADE, related_name="downloads", db_constraint=False)
    # Whose, and of what: further requests of the same find it by this. Empty: none may join.
    slot = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001
    size = models.PositiveBigIntegerField()
    whole = models.BooleanField()
    running = models.PositiveIntegerField(default=1)
    covered: models.JSONField[list[list[int]], list[list[int]]] = models.JSONField(default=list)
    seen_at = models.DateTimeField()
    done = models.BooleanField(
        default=False, help_text=_("It is counted; what was lost on the way may be sent again.")
    )
    again = models.PositiveBigIntegerField(default=0)
    # Of a link with a number of downloads: bytes that its running requests were charged, and those
    # that they may have sent by now. What a killed process cannot give back is their difference.
    promised = models.PositiveBigIntegerField(default=0, db_default=0)
    noted = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"download by link {self.link_id}"
