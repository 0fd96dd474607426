"""How django-allauth is told this site's own rules."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.context import request_context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

import audit
from accounts import limits, lockouts, mail, second_factors
from accounts.models import User
from accounts.signals import account_tried
from audit.addresses import client_address

# What stands for the address of a client that has none: a Unix socket's.
NO_ADDRESS = "0.0.0.0"  # noqa: S104  no address to listen on
LOCKED_OUT = frozenset({"too_many_login_attempts", "rate_limited"})


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        # Said where nobody knows how long, of mails that were asked for again.
        **dict.fromkeys(LOCKED_OUT, "Too many attempts. Try again in a few minutes."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Closed unless the setting opens it; the closed page says to ask an administrator."""
        return bool(settings.ACCOUNT_OPEN_SIGNUP)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the log records is the one that rate limits count."""
        return client_address(request) or NO_ADDRESS

    # --- Limits

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Guesses count for the account, whether its name was typed or its address."""
        user = account_tried(credentials)
        if user is None:
            return str(super()._get_login_attempts_cache_key(request, **credentials))
        return f"account:{user.pk}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse, record and say how long, where the limit on failures is reached."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as refused:
            key = self._get_login_attempts_cache_key(request, **credentials)
            raise lockouts.refusal(
                request,
                limits.wait_for(request, "login_failed", key=key),
                action=lockouts.SIGN_IN,
                code=refused.code or "",
                key=key,
                user=account_tried(credentials),
            ) from None

    def validation_error(self, code: str, *args: Any) -> ValidationError:
        """allauth's words, but a limit on codes says how long it lasts."""
        refused: ValidationError = super().validation_error(code, *args)
        user = _asked_for_a_code(self.request) if code in LOCKED_OUT else None
        if user is None:
            return refused
        key = f"mfa-auth-user-{user.pk}"
        wait = limits.wait_for(self.request, "login_failed", key=key)
        return lockouts.refusal(
            self.request, wait, action="second_factor", code=code, key=key, user=user
        )

    # --- Mail

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Raises MailUnavailable when it could not be handed over."""
        hours = settings.PASSWORD_RESET_TIMEOUT // 3600
        # Some mails go out when a transaction commits, which may be after the request.
        with request_context(self.request), mail.handing_over():
            super().send_mail(template_prefix, email, {"reset_hours": hours, **context})

    def format_email_subject(self, subject: str) -> str:
        return f"[Securestore] {subject}"

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What it tells of has happened: a mail server that is away must not make it an error."""
        try:
            super().send_notification_mail(*args, **kwargs)
        except mail.MailUnavailable as away:
            mail.log.error("a notification was not sent: %s", away)

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        super().send_password_reset_mail(user, email, context)
        audit.record(audit.Event.PASSWORD_RESET_ASKED, user_id=user.pk, username=user.username)


def _asked_for_a_code(request: HttpRequest) -> User | None:
    """Whose code a page asks for: of somebody half signed in, or of the signed-in user."""
    stage = getattr(request, "_login_stage", None)
    if stage is not None and isinstance(stage.login.user, User):
        return stage.login.user
    return request.user if isinstance(request.user, User) else None


class MFAAdapter(DefaultMFAAdapter):
    """Seeds of second factors go through the keyring; allauth would store them as they are."""

    def encrypt(self, text: str) -> str:
        return second_factors.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return second_factors.decrypt(encrypted_text)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        count = Authenticator.objects.filter(user=user, type=type).count()
        return "Passkey" if not count else f"Passkey {count + 1}"
