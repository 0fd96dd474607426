"""Files as people know them, and how much each person owns. Must never decide who may see one."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from files.models.folders import Folder, TreeItem, with_derived
from files.models.stored_objects import Custody, StoredObject
from files.records.names import (
    MAX_NAME_BYTES,
    UNKNOWN_TYPE,
    fold_name,
    key_file_name,
    plain_name,
)
from files.records.ordering import PlaceField


class FileRecord(TreeItem):
    """A file as people know it. Its bytes are those of the `current` stored object."""

    kind = "file"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MAX_NAME_BYTES)
    # What a search compares; kept here so that case and accents fold as in Unicode. One character
    # of three bytes, U+FDFA, folds to eighteen: nothing grows by more. Triggers see to it that it
    # follows a name that code of the release before changes (migration 0022): to what it is where
    # the name is ASCII, else to nothing, and a sweep fills it.
    plain_name = models.CharField(  # noqa: DJ001  nothing is not an empty name
        max_length=6 * MAX_NAME_BYTES, null=True, editable=False
    )
    # What processes of the release before compare. Nothing reads it here.
    folded_name = models.CharField(max_length=6 * MAX_NAME_BYTES, editable=False)
    size = models.PositiveBigIntegerField(help_text=_("Bytes of the original."))
    content_type = models.CharField(max_length=255, default=UNKNOWN_TYPE)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_files"
    )
    # Empty only for files that code from before folders has stored since: a sweep gives these one.
    folder = models.ForeignKey(
        Folder,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="files",
        db_index=False,
    )
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
        help_text=_("Who uploaded the current version."),
    )
    uploaded_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text=_("When the current version was; empty where it is the first one."),
    )
    kept_bytes = models.PositiveBigIntegerField(
        default=0, db_default=0, editable=False, help_text=_("Bytes of its former versions.")
    )
    custody = models.CharField(max_length=8, choices=Custody, default=Custody.MANAGED)
    current = models.OneToOneField(StoredObject, on_delete=models.PROTECT, related_name="file")
    # Changes with the bytes and with nothing else, so that a re-encryption does not break a resume.
    version = models.UUIDField(default=uuid.uuid4, editable=False)
    modified_at = models.DateTimeField(
        _("modified"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the original was last changed, as its uploader's computer says."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    place = PlaceField(unique=True, editable=False, help_text=_("In lists: greater is newer."))
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[FileRecord]]

    former_id: int | None = None
    """The KeptVersion, where this is the file as it was (`files.vault.versions.as_it_was`)."""

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering: ClassVar[list[str]] = ["-place"]
        permissions = (
            ("download_filerecord", "Can download files"),
            ("share_filerecord", "Can share files that they own or manage"),
        )
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["owner", "-place"], name="filerecord_owner_newest"),
            # Lists of a folder by size and by time.
            models.Index(fields=["folder", "size", "place"], name="filerecord_folder_size"),
            models.Index(fields=["folder", "place"], name="filerecord_folder_time"),
            models.Index(
                fields=["owner", "-trashed_at", "id"],
                condition=Q(trashed_at__isnull=False),
                name="filerecord_trashed",
            ),
            models.Index(
                fields=["place"],
                condition=Q(plain_name__isnull=True),
                name="filerecord_not_plain",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.derive_names()
        with_derived(kwargs, "name", {"folded_name", "plain_name"})
        super().save(*args, **kwargs)

    def derive_names(self) -> None:
        """Set what follows from the name, for who saves several at once."""
        self.folded_name, self.plain_name = fold_name(self.name), plain_name(self.name)

    def get_absolute_url(self) -> str:
        return reverse("files:detail", args=[self.id])

    @property
    def container(self) -> Folder | None:
        return self.folder

    @property
    def container_id(self) -> uuid.UUID | None:
        return self.folder_id

    @property
    def key_file_name(self) -> str:
        """The name of the file that its key is saved in, where it is held."""
        return key_file_name(self.name)

    @property
    def is_held(self) -> bool:
        """Whether reading it takes a key of its own beside a grant."""
        return self.custody == Custody.HELD

    @property
    def is_damaged(self) -> bool:
        """Whether the store no longer returns what was written."""
        return self.current.state in StoredObject.SPOILT

    @property
    def former_version(self) -> uuid.UUID | None:
        """The version that it was, where it is not the current one: for events."""
        return self.version if self.former_id is not None else None

    @property
    def version_told(self) -> dict[str, Any]:
        """The same as a detail of an event, which says nothing of the current one."""
        return {"version": self.version} if self.former_id is not None else {}


class Usage(models.Model):
    """How many files a person owns, and their bytes. Triggers keep it (migration 0009); read only.

    A quota is asked for several times in every upload, and must not add up all of a person's files.
    No foreign key: a person who is gone owns nothing.
    """

    owner_id = models.BigIntegerField(primary_key=True)
    files = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.files} files of {self.owner_id}"
