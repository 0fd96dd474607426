"""The user account, and the invitation to make one.

An account never holds or derives a file's key: a forgotten or changed password costs no data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth import get_backends
from django.contrib.auth.models import AbstractUser, Group
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

import audit
from audit import context
from notices import Kind, notify


class UserManager(DjangoUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """The address as it is kept: stripped and in lower case, the part before the @ included.

        RFC 5321 section 2.4 lets a mail host tell `Ann` from `ann`, and discourages it. An
        account that signs in by e-mail must not.
        """
        return (email or "").strip().lower()


class User(AbstractUser):
    """A person who signs in by user name or e-mail address. Both are unique whatever their case."""

    quota = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text=_("Bytes that this person's files may take; empty: the site's default."),
    )

    language = models.CharField(max_length=12, blank=True, default="", db_default="")
    """The code of the language that the person reads in; empty: as the browser says."""

    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    """An IANA name; empty: the browser's."""

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        constraints = (
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="accounts_user_email_unique",
                violation_error_message=_("An account with this e-mail address exists already."),
            ),
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_unique",
                violation_error_message=_("An account with this user name exists already."),
            ),
        )

    @classmethod
    def username_validators(cls) -> list[Any]:
        """What a user name must satisfy, wherever it is typed."""
        return [cls.username_validator]

    def save(
        self,
        *,
        force_insert: bool | tuple[models.base.ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """As Django's, and record a password or an e-mail address that was changed.

        Both change through the site and through pages of the admin, passwords also through a
        command. All of them save here, so none can forget the record. The first ones of a new
        account are no change.
        """
        # Set by `set_password`, and not when a hash is only brought up to date at sign-in.
        new_password: str | None = getattr(self, "_password", None)
        password_changed = new_password is not None and not self._state.adding
        email_is_saved = update_fields is None or "email" in update_fields
        with transaction.atomic(using=using):
            former = self._saved_email() if email_is_saved and not self._state.adding else None
            super().save(
                force_insert=force_insert,
                force_update=force_update,
                using=using,
                update_fields=update_fields,
            )
            if password_changed:
                audit.record(audit.Event.PASSWORD_CHANGED, user_id=self.pk, username=self.username)
                self._tell_of_password()
                self._end_tokens()
            if former is not None and former != self.email:
                audit.record(
                    audit.Event.EMAIL_CHANGED,
                    user_id=self.pk,
                    change="of the account",
                    email=self.email,
                    previous=former,
                )

    def _tell_of_password(self) -> None:
        """allauth mails to who changes their own, or resets it; nobody does where others do."""
        actor = context.current()
        own = actor.actor_id == self.pk or (actor.actor_id is None and not actor.actor_name)
        notify(Kind.PASSWORD_CHANGED, [self.pk], path="/accounts/", mailed=own)

    def _end_tokens(self) -> None:
        """Whoever had the old password may have made some, as may whoever knew it besides."""
        open_now = Token.objects.filter(user=self, revoked_at=None)
        for token in open_now.select_related("user"):
            Token.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
            token.note_revoked(reason="password changed")

    def _saved_email(self) -> str | None:
        saved = User.objects.filter(pk=self.pk)
        return saved.values_list("email", flat=True).first()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """As Django's, but a superuser has no shortcut where one object is concerned.

        Then only the backends answer, and for a file they go by its owner and its grants.
        """
        if obj is None:
            return super().has_perm(perm)
        return self.is_active and any(
            backend.has_perm(self, perm, obj) for backend in get_backends()
        )


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def waiting(self) -> InvitationQuerySet:
        """Neither accepted nor revoked; they may have expired."""
        return self.filter(accepted_at=None, revoked_at=None)

    def open(self) -> InvitationQuerySet:
        """Those whose link works now."""
        return self.waiting().filter(expires_at__gt=timezone.now())


class Invitation(models.Model):
    """An invitation by e-mail to make an account. See `accounts.invitations`.

    Kept as history: revoked, never deleted. Of its link's token only a hash is here.
    """

    email = models.EmailField(_("e-mail address"))
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                Lower("email"),
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="accounts_invitation_one_waiting",
                violation_error_message=_("This address is invited already."),
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(revoked_at=None),
                name="accounts_invitation_accepted_or_revoked",
            ),
        )

    def __str__(self) -> str:
        return self.email

    @property
    def state(self) -> str:
        """`accepted`, `revoked`, `expired` or `open`."""
        if self.accepted_at is not None:
            return "accepted"
        if self.revoked_at is not None:
            return "revoked"
        return "open" if self.expires_at > timezone.now() else "expired"


LONGEST_WORD = 200
"""Characters of a word that are kept: more than a name has whose characters do not become many."""


class WordField(models.CharField[str, str]):
    """Text in the order of its bytes, so that one index has all that begins with something."""

    def db_parameters(self, connection: Any) -> Any:
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


class NameWord(models.Model):
    """A word of a person's or a group's name, without case and accents. See `accounts.finding`."""

    word = WordField(max_length=LONGEST_WORD)
    # Not held by the database: code of the release before deletes people and groups, and knows no
    # words of theirs. A sweep takes these.
    user = models.ForeignKey(
        User,
        models.CASCADE,
        null=True,
        related_name="name_words",
        db_index=False,
        db_constraint=False,
    )
    group = models.ForeignKey(
        Group,
        models.CASCADE,
        null=True,
        related_name="name_words",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["user", "word"], name="nameword_of_user_once"),
            models.UniqueConstraint(fields=["group", "word"], name="nameword_of_group_once"),
            models.CheckConstraint(
                condition=models.Q(user=None, group__isnull=False)
                | models.Q(user__isnull=False, group=None),
                name="nameword_of_user_or_group",
            ),
        )
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["word", "id"], name="nameword_begins")
        ]

    def __str__(self) -> str:
        return self.word


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


class OutsideCode(models.Model):
    """A code that somebody outside was sent, until it is used or over.

    See `accounts.outside.codes`. Neither the code nor the address is here: HMACs alone.
    """

    door = models.CharField(max_length=40)
    address = models.CharField(max_length=64)
    code = models.CharField(max_length=64, editable=False)
    tries = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["door", "address"], name="outside_code_once")
        ]

    def __str__(self) -> str:
        return f"code for {self.door}"
