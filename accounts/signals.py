"""Records sign-in, failed sign-in, sign-out and changed factors, whichever door they came through.

A failed sign-in names the account that was tried only when there is one: what was typed into that
field may be somebody's password.
"""

from __future__ import annotations

import re
from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_reset, authenticator_used
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation

import audit
from accounts import reauthentication, sessions, user_agents
from accounts.backends import account_tried
from accounts.models import User
from audit import context
from audit.client_addresses import client_address
from notices import Kind, familiar, notify, telling


@receiver(user_logged_in)
def record_sign_in(user: User, request: HttpRequest, **_kwargs: Any) -> None:
    reauthentication.note_sign_in(request, user)
    with transaction.atomic():
        sessions.begin(request, user)
        audit.record(audit.Event.SIGNED_IN, actor=user)
        _tell_of_new(request, user)


def _tell_of_new(request: HttpRequest, user: User) -> None:
    """Tell somebody that they signed in by a browser, or from an address, that is new."""
    with translation.override(settings.LANGUAGE_CODE):
        agent = user_agents.in_words(request.headers.get("User-Agent", ""))
    address = client_address(request) or ""
    # Browsers have a new version each month.
    browser = re.sub(r"\s*\d[\d.]*", "", agent)
    if familiar.note(user.pk, f"browser {browser}", f"address {address}"):
        details = {"browser": agent[: telling.LONGEST_VALUE], "address": address}
        notify(Kind.NEW_SIGN_IN, [user.pk], path=reverse("usersessions_list"), details=details)


@receiver(user_logged_out)
def record_sign_out(user: User | None, request: HttpRequest, **_kwargs: Any) -> None:
    # Signing out without being signed in is allowed, and no event.
    if user is not None:
        with transaction.atomic():
            sessions.end(request)
            audit.record(audit.Event.SIGNED_OUT, actor=user)


@receiver(user_login_failed)
def record_failure(
    credentials: dict[str, Any],
    request: HttpRequest | None = None,
    *,
    locked_out: bool = False,
    **_kwargs: Any,
) -> None:
    """`locked_out`: nobody looked whether it was right, after too many wrong ones."""
    details: dict[str, Any] = {"locked_out": True} if locked_out else {}
    user = credentials["account"] if "account" in credentials else account_tried(credentials)
    audit.record(
        audit.Event.SIGN_IN_FAILED,
        user_id=user.pk if user else None,
        username=user.username if user else None,
        active=user.is_active if user else None,
        **details,
    )


@receiver(password_changed)
@receiver(password_set)
def end_other_sessions(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """Whoever else is signed in does not know the new password."""
    with transaction.atomic():
        sessions.begin(request, user)
        sessions.revoke_others(request, user)


@receiver(password_reset)
def end_all_sessions(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    sessions.revoke_all(user)


# allauth saves outside of any transaction: so row and event stand together, or neither.
Authenticator.save = transaction.atomic(Authenticator.save)


# Rows, not allauth's own signals: these come too when an administrator removes a factor.
@receiver(post_save, sender=Authenticator)
def record_new_factor(instance: Authenticator, created: bool, **_kwargs: Any) -> None:
    if created:
        _record_factor(instance, "added")


@receiver(post_delete, sender=Authenticator)
def record_removed_factor(instance: Authenticator, **_kwargs: Any) -> None:
    _record_factor(instance, "removed")


@receiver(authenticator_reset)
def record_regenerated(authenticator: Authenticator, **_kwargs: Any) -> None:
    _record_factor(authenticator, "regenerated")


@receiver(authenticator_used)
def record_used_up(authenticator: Authenticator, **_kwargs: Any) -> None:
    """A recovery code is gone once it was used: that changes what the account has left."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        _record_factor(authenticator, "used")


def _record_factor(row: Authenticator, change: str) -> None:
    audit.record(audit.Event.MFA_CHANGED, user_id=row.user_id, factor=str(row.type), change=change)
    # allauth mails to who changes their own, at once; nobody does where others, or commands, do.
    own = context.current().actor_id == row.user_id and change != "used"
    page = reverse("mfa_index")
    notify(Kind.FACTOR_CHANGED, [row.user_id], path=page, details={"change": change}, mailed=own)


@receiver(authentication_failed)
def record_wrong_code(user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    audit.record(
        audit.Event.SIGN_IN_FAILED,
        user_id=user.pk,
        username=user.username,
        factor=str(authenticator.type),
    )
