"""Former versions of files. Must never decide who may read one."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from files.models.records import FileRecord
from files.models.stored_objects import StoredObject
from files.records.names import UNKNOWN_TYPE


class KeptVersion(models.Model):
    """What a file was before a newer version took its place; its object is `kept`, or `kept_bad`.

    What the current version is stands in the file's own row. A version keeps its id as `version`,
    so that it is the same one to a client when it becomes current again.
    """

    file = models.ForeignKey(FileRecord, on_delete=models.CASCADE, related_name="versions")
    object = models.OneToOneField(StoredObject, on_delete=models.PROTECT, related_name="kept")
    version = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    size = models.PositiveBigIntegerField(help_text=gettext_lazy("Bytes of the original."))
    content_type = models.CharField(max_length=255, default=UNKNOWN_TYPE)
    custody = models.CharField(max_length=8)
    modified_at = models.DateTimeField(null=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    uploaded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar[list[str]] = ["-superseded_at", "-id"]

    def __str__(self) -> str:
        return f"a former version of {self.file_id}"
