"""That somebody asks for access to something. Must never say whether that something exists.

A row is written for whatever id was asked for, so it has no foreign key to a file or a folder, and
stays when one goes. Who may decide, and what of it exists, is asked when it is shown.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy

from files.models.grants import Grant

LASTS: Final = timedelta(days=30)
"""How long a request can be answered, and is remembered; then a sweep takes it away."""


class AccessRequest(models.Model):
    """One person's request for one file or folder, or for what they take for one."""

    class Kind(models.TextChoices):
        """What the address is of that was asked for."""

        FILE = "file", gettext_lazy("file")
        FOLDER = "folder", gettext_lazy("folder")

    class Answer(models.TextChoices):
        """What somebody who may share it decided."""

        NONE = "", gettext_lazy("not answered")
        GRANTED = "granted", gettext_lazy("shared")
        DECLINED = "declined", gettext_lazy("declined")

    # None of these is held by the database: code of the release before deletes people and shares,
    # and knows no requests.
    asker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    kind = models.CharField(max_length=6, choices=Kind)
    wanted: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        help_text=gettext_lazy("The id that was asked for, of whatever there is or is not.")
    )
    reason = models.CharField(max_length=500)
    asked_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    # Those who may decide have been looked for, and told; done by `deliver`, not for the asker.
    told_at = models.DateTimeField(null=True, editable=False)
    answer = models.CharField(max_length=8, choices=Answer, default="", blank=True)
    answered_at = models.DateTimeField(null=True, editable=False)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    word = models.CharField(max_length=255, blank=True)
    grant = models.ForeignKey(
        Grant, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False
    )

    class Meta:
        default_permissions = ("view",)
        ordering: ClassVar[list[str]] = ["-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["asker", "kind", "wanted"],
                condition=~Q(answer="granted"),
                name="accessrequest_one_open",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["wanted"], name="accessrequest_wanted"),
            models.Index(
                fields=["id"], condition=Q(told_at__isnull=True), name="accessrequest_untold"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asker} asks for {self.kind} {self.wanted}"

    @property
    def address(self) -> str:
        """Where what was asked for is, if there is such a thing."""
        return reverse(f"{self.kind}s:detail", args=[self.wanted])

    @property
    def ends_at(self) -> datetime:
        """Until when it can be answered."""
        moment: datetime = self.asked_at + LASTS
        return moment
