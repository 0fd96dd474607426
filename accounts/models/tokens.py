"""Tokens of programs, and programs that ask for one.

Never has a token or a code: of those only digests.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

import audit
from accounts.models.users import User


class TokenQuerySet(models.QuerySet["Token"]):
    def live(self) -> TokenQuerySet:
        """Neither revoked nor expired, of people whose account is active."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now(), user__is_active=True)


class Token(models.Model):
    """What a program presents in a person's place. See `accounts.tokens`.

    Of the token itself only a digest is here. Kept as history: revoked, never deleted.
    """

    class Scope(models.TextChoices):
        """What a token may be used for at all; never more than its person may."""

        READ = "read", _("read: list, search and download")
        ADD = "add", _("add: upload, and make folders")
        SHARE = "share", _("share: see who can read, share and stop sharing")
        MANAGE = "manage", _("manage: rename, move, put into the trash and bring back")
        AUDIT = "audit", _("audit: read the log and the report of master keys")

    # Not held by the database: code of the release before deletes people, and knows no tokens. One
    # without a person is nobody's, and opens nothing.
    user = models.ForeignKey(
        User, models.CASCADE, related_name="tokens", db_index=False, db_constraint=False
    )
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.CharField(_("scopes"), max_length=60, help_text=_("With spaces between them."))
    # An id alone, for accounts know no folders: where it is gone, the token reaches nothing.
    folder_id = models.UUIDField(_("folder"), null=True, blank=True)
    networks = models.TextField(
        _("addresses"), blank=True, help_text=_("CIDR, with spaces between them; empty: anywhere.")
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("until"))
    # The administrator who made it for the person; empty where the person did.
    made_by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("made by"),
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    last_used_from = models.CharField(_("from"), max_length=45, blank=True, default="")
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "-created_at"], name="token_of_user")
        ]
        # `delete` would say something else than to revoke: that is `change`. `add` is to make one
        # for somebody else, and nobody's by default; one's own take no permission.
        default_permissions = ("add", "view", "change")

    def __str__(self) -> str:
        return self.name

    @property
    def fingerprint(self) -> str:
        """The beginning of its SHA-256, by which people find the one that leaked."""
        return self.digest[:8]

    @property
    def scope_set(self) -> frozenset[str]:
        """Its scopes, one by one."""
        return frozenset(self.scopes.split())

    @property
    def state(self) -> str:
        """`revoked`, `expired` or `live`, whatever its person's account is."""
        if self.revoked_at is not None:
            return "revoked"
        return "live" if self.expires_at > timezone.now() else "expired"

    def note_revoked(self, *, reason: str, actor: User | None = None) -> None:
        """Record that it was ended. For the transaction that ends it."""
        audit.record(
            audit.Event.TOKEN_REVOKED,
            actor=actor,
            token_id=self.pk,
            label=self.name,
            fingerprint=self.fingerprint,
            user_id=self.user_id,
            username=self.user.username,
            reason=reason or None,
        )


class ProgramRequest(models.Model):
    """A program that asks for a token of somebody's, until it has it or its time is over.

    Of its codes only digests are here. See `accounts.program_sign_in`.
    """

    secret = models.CharField(max_length=64, unique=True, editable=False)
    # Of the code that a person types; empty where a browser carries one.
    typed = models.CharField(max_length=64, blank=True, default="", db_index=True, editable=False)
    name = models.CharField(max_length=60)
    scopes = models.CharField(max_length=60)
    address = models.CharField(max_length=45, blank=True)
    challenge = models.CharField(max_length=43, blank=True, default="")
    redirect_uri = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    # Few rows for minutes: a constraint would lock the table of accounts while it is made.
    user = models.ForeignKey(
        User,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    is_refused = models.BooleanField(default=False)
    token_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
