"""What happens when a limit is reached: recorded once, and the answer says how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allauth.core.internal.ratelimit import get_ip
from django.core.exceptions import ValidationError
from django.http import HttpRequest

import audit
from accounts import limits
from accounts.models import User

SIGN_IN = "sign_in"
# The limits of allauth that answer with a page of their own, by the view that they stand before.
_VIEWS: Mapping[str, tuple[str, str]] = {
    "account_login": ("allauth.account", "login"),
    "account_signup": ("allauth.account", "signup"),
    "account_email": ("allauth.account", "manage_email"),
    "account_change_password": ("allauth.account", "change_password"),
    "account_set_password": ("allauth.account", "change_password"),
    "account_reset_password": ("allauth.account", "reset_password"),
    "account_reset_password_from_key": ("allauth.account", "reset_password_from_key"),
    "account_reauthenticate": ("allauth.account", "reauthenticate"),
    "mfa_reauthenticate": ("allauth.account", "reauthenticate"),
    "mfa_reauthenticate_webauthn": ("allauth.account", "reauthenticate"),
    "mfa_login_webauthn": ("allauth.mfa", "webauthn_login"),
}


def note(
    request: HttpRequest, action: str, wait: int, *, user: User | None = None, new: bool = True
) -> None:
    """Record a lock-out, and have the answer carry `Retry-After` and the status 429."""
    request.locked_out_for = wait  # type: ignore[attr-defined]
    if new:
        details: dict[str, Any] = {"user_id": user.pk, "username": user.username} if user else {}
        if action != SIGN_IN:
            details["action"] = action
        audit.record(audit.Event.LOCKED_OUT, **details)


def refusal(
    request: HttpRequest, wait: int, *, action: str, code: str, key: str, user: User | None = None
) -> ValidationError:
    """The error of a form whose limit is reached. `key` is what the attempts were counted for."""
    wait = wait or limits.CONTENDED
    note(request, action, wait, user=user, new=limits.is_news(f"{action}:{key}", wait))
    return ValidationError(str(limits.LimitReached(wait)), code=code)


def wait_of(request: HttpRequest) -> int:
    """Seconds to wait where a page of allauth's was refused by its limit; the lock-out is noted."""
    view = request.resolver_match.view_name if request.resolver_match else ""
    app, action = _VIEWS.get(view, ("allauth.account", "login"))
    user = request.user if request.user.is_authenticated else None
    address = request.POST.get("email", "").lower() or None
    wait = limits.wait_for(request, action, app=app, key=address, user=user) or limits.CONTENDED
    subject = user.pk if user else get_ip(request)
    note(
        request, action, wait, user=user, new=limits.is_news(f"{action}:{subject}:{address}", wait)
    )
    return wait
