"""The user account: a person who signs in, and what of it is recorded as it is saved.

An account never holds or derives a file's key: a forgotten or changed password costs no data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth import get_backends
from django.contrib.auth.models import AbstractUser
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
        open_now = self.tokens.filter(revoked_at=None)
        for token in open_now.select_related("user"):
            self.tokens.filter(pk=token.pk).update(revoked_at=timezone.now())
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
