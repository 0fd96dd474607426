"""Records sign-in, failed sign-in and sign-out, whichever door they came through.

A failed sign-in names the account that was tried only when there is one: what was typed into that
field may be somebody's password.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Q
from django.dispatch import receiver
from django.http import HttpRequest

import audit
from accounts import reauthentication
from accounts.models import User


@receiver(user_logged_in)
def record_sign_in(user: User, request: HttpRequest, **_kwargs: Any) -> None:
    reauthentication.note_sign_in(request, user)
    audit.record(audit.Event.SIGNED_IN, actor=user)


@receiver(user_logged_out)
def record_sign_out(user: User | None, **_kwargs: Any) -> None:
    # Signing out without being signed in is allowed, and no event.
    if user is not None:
        audit.record(audit.Event.SIGNED_OUT, actor=user)


@receiver(user_login_failed)
def record_failure(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_kwargs: Any
) -> None:
    user = account_tried(credentials)
    audit.record(
        audit.Event.SIGN_IN_FAILED,
        user_id=user.pk if user else None,
        username=user.username if user else None,
        active=user.is_active if user else None,
    )


def account_tried(credentials: dict[str, Any]) -> User | None:
    """The account that a user name or an e-mail address means, if any."""
    names = [str(credentials[field]) for field in ("username", "email") if credentials.get(field)]
    meant = Q(pk=None)
    for name in names:
        meant |= Q(username__iexact=name) | Q(email__iexact=name)
    return User.objects.filter(meant).order_by("pk").first()
