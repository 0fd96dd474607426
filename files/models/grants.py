"""Grants: who was given what, from when and until when. Never deleted: they are history.

Which of them count at a moment is said here. Must never decide who may do what with a file: that
is `files.access`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from files.models.folders import Folder
from files.models.records import FileRecord
from files.records.ordering import FilePlaceField
from runtime import statements

_MAY_BE_OVER = Q(revoked_at__isnull=False) | Q(expires_at__isnull=False)


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self, at: datetime | None = None) -> GrantQuerySet:
        """Grants that count at that moment, by default now."""
        moment = at or statements.now()
        begun = Q(starts_at__isnull=True) | Q(starts_at__lte=moment)
        return self.lasting(moment).filter(begun)

    def lasting(self, at: datetime | None = None) -> GrantQuerySet:
        """Grants that count at that moment, or will: neither revoked nor over."""
        over_never = Q(expires_at__isnull=True) | Q(expires_at__gt=at or statements.now())
        return self.filter(over_never, revoked_at__isnull=True)

    def ended(self) -> GrantQuerySet:
        """Grants that count no more: all that are not `lasting`."""
        return self.filter(Q(revoked_at__isnull=False) | Q(expires_at__lte=statements.now()))

    def ending(self, now: datetime, *, within: timedelta) -> GrantQuerySet:
        """Grants that count now and end within that time. An index has them by their end."""
        return self.live(now).filter(expires_at__gt=now, expires_at__lte=now + within)

    def held_by(self, user: User | AnonymousUser) -> GrantQuerySet:
        """Grants to that user in person or to one of the user's groups, live or not."""
        return self.naming(user) if user.is_active else self.none()

    def naming(self, user: User | AnonymousUser) -> GrantQuerySet:
        """As `held_by`, but for a deactivated account, too, which holds nothing. To explain."""
        return self.filter(Q(user_id=user.pk) | Q(group__in=user.groups.values("pk")))

    def by_way(self, user: User | AnonymousUser) -> tuple[GrantQuerySet, GrantQuerySet]:
        """The two parts of `naming`, in person and through groups: each has an index of its own."""
        # Of memberships alone: what groups are called is read for nothing, and once for each row.
        groups = User.groups.through.objects.filter(user=user.pk).order_by().values("group")
        return self.filter(user=user.pk), self.filter(group__in=groups)


class Grant(models.Model):
    """Permission for one user or group on one file or folder. Never deleted: it is history.

    On a folder it covers all that is below, now and later; nothing below takes away from it.
    """

    class Level(models.TextChoices):
        DOWNLOAD = "download", _("Download")
        ADD = "add", _("Add: download, put files in and make folders")
        MANAGE = "manage", _("Manage: download, share and delete")

    # The indexes below begin with each of the four: shorter ones would mislead PostgreSQL.
    file = models.ForeignKey(
        FileRecord,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="grants",
        db_index=False,
    )
    # Triggers see to it that it is the file's (migration 0009); empty for a folder.
    file_place = FilePlaceField(null=True, editable=False)
    folder = models.ForeignKey(
        Folder,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="grants",
        db_index=False,
    )
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
    starts_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: at once."))
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: never."))
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
        verbose_name = _("share")
        verbose_name_plural = _("shares")
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, group__isnull=False)
                | Q(user__isnull=False, group__isnull=True),
                name="grant_to_user_or_group",
                violation_error_message=_("Choose exactly one: a user or a group."),
            ),
            models.CheckConstraint(
                condition=Q(file__isnull=True, folder__isnull=False)
                | Q(file__isnull=False, folder__isnull=True),
                name="grant_of_file_or_folder",
                violation_error_message=_("Choose exactly one: a file or a folder."),
            ),
            models.CheckConstraint(
                condition=~Q(level="add") | Q(folder__isnull=False),
                name="grant_to_add_is_of_a_folder",
                violation_error_message=_("A grant to add is for a folder: choose another level."),
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True)
                | Q(expires_at__isnull=True)
                | Q(starts_at__lt=F("expires_at")),
                name="grant_starts_before_it_expires",
                violation_error_message=_("The grant must start before it expires."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "file"], name="grant_user_file"),
            models.Index(fields=["group", "file"], name="grant_group_file"),
            models.Index(fields=["file", "-created_at", "-id"], name="grant_file_newest"),
            models.Index(
                fields=["user", "folder"],
                condition=Q(folder__isnull=False, user__isnull=False),
                name="grant_user_folder",
            ),
            models.Index(
                fields=["group", "folder"],
                condition=Q(folder__isnull=False, group__isnull=False),
                name="grant_group_folder",
            ),
            # What has ended, without all that has not: who is let in for good is in neither.
            models.Index(
                fields=["file", "-created_at", "-id"],
                condition=Q(file__isnull=False) & _MAY_BE_OVER,
                name="grant_file_over",
            ),
            models.Index(
                fields=["folder", "-created_at", "-id"],
                condition=Q(folder__isnull=False) & _MAY_BE_OVER,
                name="grant_folder_over",
            ),
            # Whether one of somebody's groups has it: however many people have it, groups are few.
            models.Index(
                fields=["folder", "group"],
                condition=Q(folder__isnull=False, group__isnull=False, revoked_at__isnull=True),
                name="grant_folder_groups",
            ),
            models.Index(
                fields=["folder", "-created_at", "-id"],
                condition=Q(folder__isnull=False),
                name="grant_folder_newest",
            ),
            # What was shared with one, the newest first.
            models.Index(
                fields=["user", "-created_at", "-id"],
                condition=Q(revoked_at__isnull=True, user__isnull=False),
                name="grant_user_given",
            ),
            models.Index(
                fields=["group", "-created_at", "-id"],
                condition=Q(revoked_at__isnull=True, group__isnull=False),
                name="grant_group_given",
            ),
            # What ends soon, for the front page of the administration.
            models.Index(
                fields=["expires_at"],
                condition=Q(revoked_at__isnull=True, expires_at__isnull=False),
                name="grant_ending",
            ),
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
            raise ValidationError(gettext("Choose exactly one: a user or a group."))
        if self.folder is not None and self.folder.is_root:
            raise ValidationError(
                gettext(
                    "All of a person's files cannot be shared at once: share a folder of theirs."
                )
            )

    @property
    def target(self) -> FileRecord | Folder:
        """The file or the folder that it is for."""
        found = self.file if self.folder_id is None else self.folder
        if found is None:
            raise ValueError("a grant is for a file or a folder")
        return found

    @property
    def recipient_name(self) -> str:
        """Who it is for, in words."""
        if self.group is not None:
            return gettext("group “%(name)s”") % {"name": self.group.name}
        return self.user.get_username() if self.user else gettext("nobody")

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
