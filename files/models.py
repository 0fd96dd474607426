"""What the vault knows: files, their encryptions in the store, and who was granted what.

The rules that must hold whatever the code does are constraints here. This module must never touch
the store or a key: `vault` alone joins rows and objects.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from files.access import FileRecordQuerySet, GrantQuerySet
from files.crypto.keyring import Custody as KeyCustody
from files.crypto.keyring import WrappedKey
from files.crypto.stream import Context
from files.names import MAX_NAME_BYTES, UNKNOWN_TYPE, fold_name, key_file_name
from files.places import FilePlaceField, PlaceField


class Custody(models.TextChoices):
    """Who holds what it takes to read a file."""

    MANAGED = KeyCustody.MANAGED.value, "Managed: a grant is enough"
    HELD = KeyCustody.HELD.value, "Held: a grant and the file's own key"


class StoredObject(models.Model):
    """One encryption of one file: its object in the store, its wrapped key, its life.

    The row is committed before the first byte goes to the store, and doomed before the object is
    deleted: whatever is killed, and whenever, a row says what is left to clean up. For the same
    reason `file_id` is no foreign key: the row comes before its file and outlives it.
    """

    class State(models.TextChoices):
        WRITING = "writing", "being written"
        LIVE = "live", "live"
        DOOMED = "doomed", "to be deleted"
        DAMAGED = "damaged", "damaged in the store"

    file_id = models.UUIDField("file id", db_index=True)
    stream_id = models.UUIDField(unique=True, default=uuid.uuid4)
    object_name = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.WRITING)
    custody = models.CharField(max_length=8, choices=Custody, default=Custody.MANAGED)
    master_key_id = models.CharField(max_length=128)
    wrapped_key = models.BinaryField()
    past_master_key_ids = models.TextField(
        blank=True, default="", db_default="", help_text="As `files.pastkeys` keeps them."
    )
    sealed = models.BooleanField(default=False, help_text="The wrapped key binds the final size.")
    size = models.PositiveBigIntegerField(default=0, help_text="Plaintext bytes; 0 until sealed.")
    object_size = models.PositiveBigIntegerField(default=0)
    etag = models.CharField(max_length=128, blank=True)
    reserved = models.PositiveBigIntegerField(
        default=0, help_text="Bytes of its creator's quota that an upload has reserved."
    )
    multipart_id = models.CharField(max_length=1024, blank=True)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # What is safe in the store of an upload that can be resumed (docs/uploads.md).
    offset = models.PositiveBigIntegerField(default=0, help_text="Plaintext bytes that are safe.")
    part_frames = models.PositiveIntegerField(default=0)
    etags = models.JSONField(default=list, blank=True)
    tails = models.JSONField(default=list, blank=True)
    carry = models.BinaryField(default=bytes, blank=True)
    chain = models.BinaryField(
        null=True, blank=True, help_text="The content chain before the carry, sealed."
    )
    digest = models.BinaryField(
        null=True, blank=True, help_text="The digests of the plaintext, sealed; of a live one."
    )
    # Who writes at the moment, and when it was last heard of; empty while nobody does.
    lease = models.CharField(max_length=255, blank=True)
    lease_seen_at = models.DateTimeField(null=True, blank=True)
    reencrypts = models.BooleanField(
        default=False, help_text="Was begun to take the place of its file's current object."
    )
    stream_created_at = models.PositiveBigIntegerField(
        help_text="Unix seconds; part of what the stream's keys are derived from."
    )
    created_at = models.DateTimeField(default=timezone.now)
    state_changed_at = models.DateTimeField(default=timezone.now)
    verified_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When all of it was last found to be as written; of held ones, what shows.",
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(state="writing", sealed=False)
                | Q(state="doomed")
                | Q(state__in=["live", "damaged"], sealed=True),
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
            # So that two runs never re-encrypt one file at once.
            models.UniqueConstraint(
                fields=["file_id"],
                condition=Q(state="writing"),
                name="storedobject_one_writing_per_file",
            ),
        ]
        # None that holds a key: a rotation then changes no index (migration 0011).
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "state_changed_at"], name="storedobject_by_state"),
            models.Index(fields=["verified_at", "id"], name="storedobject_by_verified"),
            models.Index(
                fields=["creator"], condition=Q(state="writing"), name="storedobject_writing_by"
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
        writing = StoredObject.objects.filter(pk=self.pk, state=self.State.WRITING, lease=under)
        if not writing.update(**fields):
            return False
        for name, value in fields.items():
            setattr(self, name, value)
        return True


class VerificationRun(models.Model):
    """A verification that has begun and not come to its end: one that is killed goes on from here.

    Everything whose `verified_at` is not before `started_at` is done.
    """

    selection = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"verification of {self.selection} since {self.started_at}"


class VerificationClaim(models.Model):
    """That a process is verifying an object at the moment, so that another one takes others.

    No foreign key: an object may be deleted meanwhile, and must not wait for this.
    """

    stored_object_id = models.BigIntegerField(primary_key=True)
    lease = models.CharField(max_length=255, db_index=True)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"verification of object {self.stored_object_id}"


class MasterKey(models.Model):
    """What is remembered of a master key by its id; never the key, and only where it matters."""

    key_id = models.CharField(max_length=128, primary_key=True)
    retired_at = models.DateTimeField(
        null=True, blank=True, help_text="Since then it may never wrap anything again."
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
        max_length=128, blank=True, help_text="How a passphrase becomes the key; empty: it is none."
    )
    offered = models.BinaryField(null=True, blank=True)
    offered_master_key_id = models.CharField(max_length=128, blank=True)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    saved_at = models.DateTimeField(
        null=True, blank=True, help_text="When its owner confirmed that it was saved."
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
        """The key as long as it is offered, for `files.custody` alone."""
        if self.offered is None:
            return None
        return WrappedKey(self.offered_master_key_id, bytes(self.offered))


class UploadSession(models.Model):
    """A resumable upload as its client knows it; it stays until it expires, also when complete.

    So a client whose last answer was lost can still ask what became of its file.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    object = models.OneToOneField(StoredObject, on_delete=models.CASCADE, related_name="session")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="upload_sessions"
    )
    name = models.CharField(max_length=MAX_NAME_BYTES)
    content_type = models.CharField(max_length=255, default=UNKNOWN_TYPE)
    custody = models.CharField(max_length=8, choices=Custody, default=Custody.MANAGED)
    length = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Bytes of the original; empty until the client says."
    )
    metadata = models.TextField(blank=True, help_text="The client's Upload-Metadata, as sent.")
    modified_at = models.DateTimeField(
        null=True, blank=True, help_text="When the original was last changed, as its client says."
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
    """A download under way: what was sent of it, until it is one event (`files.downloading`).

    Like an event it has no foreign keys: it outlives what it names.
    """

    # What its later requests find it by; empty where none may join it.
    slot = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001
    file_id = models.UUIDField()
    size = models.PositiveBigIntegerField()
    actor_id = models.BigIntegerField()
    actor_name = models.CharField(max_length=150)
    address = models.CharField(max_length=45)
    user_agent = models.TextField()
    request_id = models.CharField(max_length=32)
    grant_id = models.BigIntegerField(null=True)
    begun_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    whole = models.BooleanField(help_text="One of its requests was for the whole file.")
    requests = models.PositiveIntegerField()
    running = models.PositiveIntegerField(help_text="Requests that have not ended.")
    bytes = models.PositiveBigIntegerField(default=0)
    covered: models.JSONField[list[list[int]], list[list[int]]] = models.JSONField(default=list)
    settled = models.BooleanField(
        default=False, help_text="Its event is written; some requests may still belong to it."
    )

    def __str__(self) -> str:
        return f"download of {self.file_id}"

    @property
    def is_complete(self) -> bool:
        """Whether every byte was sent at least once."""
        return self.covered == ([[0, self.size]] if self.size else [])


class Pulse(models.Model):
    """The one row that is written to find out whether the database takes writes (`files.pulse`)."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"written at {self.at}"


class FileRecord(models.Model):
    """A file as people know it. Its bytes are those of the `current` stored object."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MAX_NAME_BYTES)
    # What a search compares; kept here so that case folds as in Unicode, not as in ASCII. One
    # character of three bytes, U+FDFA, folds to eighteen: nothing grows by more.
    folded_name = models.CharField(max_length=6 * MAX_NAME_BYTES, editable=False)
    size = models.PositiveBigIntegerField(help_text="Bytes of the original.")
    content_type = models.CharField(max_length=255, default=UNKNOWN_TYPE)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_files"
    )
    custody = models.CharField(max_length=8, choices=Custody, default=Custody.MANAGED)
    current = models.OneToOneField(StoredObject, on_delete=models.PROTECT, related_name="file")
    # Changes with the bytes and with nothing else, so that a re-encryption does not break a resume.
    version = models.UUIDField(default=uuid.uuid4, editable=False)
    modified_at = models.DateTimeField(
        "modified",
        null=True,
        blank=True,
        editable=False,
        help_text="When the original was last changed, as its uploader's computer says.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    place = PlaceField(unique=True, editable=False, help_text="In lists: greater is newer.")
    updated_at = models.DateTimeField(auto_now=True)

    objects = FileRecordQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-place"]
        permissions = (
            ("download_filerecord", "Can download files"),
            ("share_filerecord", "Can share files that they own or manage"),
        )
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["owner", "-place"], name="filerecord_owner_newest"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.folded_name = fold_name(self.name)
        fields = kwargs.get("update_fields")
        if fields is not None and "name" in fields:
            kwargs["update_fields"] = {*fields, "folded_name"}
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("files:detail", args=[self.id])

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
        return self.current.state == StoredObject.State.DAMAGED


class DatabaseState(models.Model):
    """That this database is not in service, and why; no row where it is (`securestore.service`).

    `progress` says how far a move into this database is: of each table the last key, and whether it
    is complete. One that was moved stays so: triggers see to it (migration 0015).
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    state = models.CharField(max_length=8)
    move = models.UUIDField(help_text="The same at both ends.")
    other = models.CharField(max_length=255, help_text="The other database, without a password.")
    since = models.DateTimeField(default=timezone.now)
    progress: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(id=1), name="databasestate_one"),
        ]

    def __str__(self) -> str:
        return f"{self.state}: {self.other}"


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


class Grant(models.Model):
    """Permission for one user or one group to read one file. Never deleted: it is history."""

    class Level(models.TextChoices):
        DOWNLOAD = "download", "Download"
        MANAGE = "manage", "Manage: download, share and delete"

    # The indexes below begin with each of the three: shorter ones would mislead PostgreSQL.
    file = models.ForeignKey(
        FileRecord, on_delete=models.CASCADE, related_name="grants", db_index=False
    )
    # Triggers see to it that it is the file's (migration 0009).
    file_place = FilePlaceField(editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="grants",
        db_index=False,
    )
    group = models.ForeignKey(
        Group,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="file_grants",
        db_index=False,
    )
    level = models.CharField(max_length=8, choices=Level, default=Level.DOWNLOAD)
    starts_at = models.DateTimeField(null=True, blank=True, help_text="Empty: at once.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    reason = models.CharField(max_length=255, blank=True)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, group__isnull=False)
                | Q(user__isnull=False, group__isnull=True),
                name="grant_to_user_or_group",
                violation_error_message="Choose exactly one: a user or a group.",
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True)
                | Q(expires_at__isnull=True)
                | Q(starts_at__lt=F("expires_at")),
                name="grant_starts_before_it_expires",
                violation_error_message="The grant must start before it expires.",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "file"], name="grant_user_file"),
            models.Index(fields=["group", "file"], name="grant_group_file"),
            models.Index(fields=["file", "-created_at", "-id"], name="grant_file_newest"),
            # What a list is made of. By the times a grant is skipped without a look at its row.
            models.Index(
                fields=["user", "-file_place", "starts_at", "expires_at"],
                condition=Q(revoked_at__isnull=True, user__isnull=False),
                name="grant_user_newest",
            ),
            models.Index(
                fields=["group", "-file_place", "starts_at", "expires_at"],
                condition=Q(revoked_at__isnull=True, group__isnull=False),
                name="grant_group_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_level_display()} for {self.recipient_name}"

    def clean(self) -> None:
        if (self.user is None) == (self.group is None):
            raise ValidationError("Choose exactly one: a user or a group.")

    @property
    def recipient_name(self) -> str:
        """Who it is for, in words."""
        if self.group is not None:
            return f"group “{self.group.name}”"
        return self.user.get_username() if self.user else "nobody"

    def status_at(self, moment: datetime) -> str:
        """`revoked`, `scheduled`, `expired` or `live`, at that moment."""
        if self.revoked_at is not None:
            return "revoked"
        if self.starts_at is not None and self.starts_at > moment:
            return "scheduled"
        if self.expires_at is not None and self.expires_at <= moment:
            return "expired"
        return "live"

    @property
    def status(self) -> str:
        """The status now."""
        return self.status_at(timezone.now())
