"""What a person had to do with lately. Must never decide whether they may still see it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from files.models.records import FileRecord


class RecentFile(models.Model):
    """That a person added or opened a file, or was given it themselves, and when last."""

    class Way(models.TextChoices):
        ADDED = "added", gettext_lazy("added")
        OPENED = "opened", gettext_lazy("opened")
        GIVEN = "given", gettext_lazy("given to you")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    file = models.ForeignKey(FileRecord, on_delete=models.CASCADE, related_name="+")
    way = models.CharField(max_length=8, choices=Way)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "file"], name="recentfile_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "-at", "-id"], name="recentfile_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} {self.way} at {self.at}"
