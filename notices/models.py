"""Rows of what people are told: notices, what each person chose to hear of, and mails that wait."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# None of these is held by the database: code of the release before deletes people, and knows no
# notices of theirs. A sweep takes what is nobody's.


class Mail(models.Model):
    """A mail on its way. What is in it is encrypted while it waits, and erased once it was sent."""

    message_id = models.CharField(max_length=100, unique=True, editable=False)
    to = models.EmailField(_("to"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("person"),
    )
    kind = models.CharField(_("kind"), max_length=40)
    language = models.CharField(max_length=10, blank=True)
    content = models.BinaryField(null=True, editable=False)
    wrapped_key = models.BinaryField(null=True, editable=False)
    master_key_id = models.CharField(max_length=128, blank=True, default="", editable=False)
    made_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    # By the database's clock, as are the two of the lease.
    due_at = models.DateTimeField(_("next try"))
    useful_until = models.DateTimeField(_("useful until"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    lease = models.CharField(max_length=200, blank=True, default="", editable=False)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.CharField(_("what the mail server said"), max_length=500, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    # Nobody tries any more, and it was not sent: `last_error` says why.
    ended_at = models.DateTimeField(_("given up"), null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        default_permissions = ("view", "change")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(sent_at=None) | Q(ended_at=None), name="mail_sent_or_given_up"
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None, ended_at=None)
                | Q(content=None, wrapped_key=None, master_key_id=""),
                name="mail_erased_once_done",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["due_at", "id"],
                condition=Q(sent_at=None, ended_at=None),
                name="mail_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.message_id}"

    @property
    def state(self) -> str:
        """`sent`, `given up`, `failing` or `waiting`."""
        if self.sent_at is not None:
            return "sent"
        if self.ended_at is not None:
            return "given up"
        return "failing" if self.last_error else "waiting"


class Notice(models.Model):
    """That a person is told something. Names nothing: what it is about is asked when shown."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(default=timezone.now, editable=False)
    # Ids alone, for notices know no files: where one is gone, or not the reader's any more, the
    # notice says so little.
    file_id = models.UUIDField(null=True, blank=True)
    folder_id = models.UUIDField(null=True, blank=True)
    path = models.CharField(max_length=300, blank=True, default="")
    actor_id = models.BigIntegerField(null=True, blank=True)
    details: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    once = models.CharField(max_length=100, blank=True, default="")
    in_app = models.BooleanField(default=True)
    by_mail = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True, blank=True)
    # The mail that told it, once one was written.
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "once"], condition=~Q(once=""), name="notice_told_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "-id"], name="notice_of_user"),
            models.Index(
                fields=["user"], condition=Q(in_app=True, read_at=None), name="notice_unread"
            ),
            models.Index(
                fields=["user", "kind"],
                condition=Q(by_mail=True, mailed_at=None),
                name="notice_to_be_mailed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.user_id}"


class Choice(models.Model):
    """How one person wants to hear of one kind, and when a mail of it was last written to them."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    kind = models.CharField(max_length=40)
    # Empty: as the kind has it.
    in_app = models.BooleanField(null=True, blank=True)
    by_mail = models.BooleanField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "kind"], name="noticechoice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"


class Familiar(models.Model):
    """A browser or an address that a person has signed in with before, as a digest."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    digest = models.CharField(max_length=64)
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "digest"], name="familiar_once"),
        ]

    def __str__(self) -> str:
        return f"{self.digest[:8]} of {self.user_id}"
