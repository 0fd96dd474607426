"""How django-allauth is told this site's own rules."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.app_settings import EMAIL_CONFIRMATION_EXPIRE_DAYS
from allauth.account.auth_backends import AuthenticationBackend
from allauth.core import context as around
from allauth.core.context import request_context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import get_language, gettext, gettext_lazy

import audit
from accounts import limits, lockouts, members, powers, preferences
from accounts.backends import account_tried, typed_name
from accounts.models import User
from accounts.signals import record_failure
from audit.client_addresses import client_address
from notices import mail
from notices.sealing import KeyAway
from runtime.connections import release
from runtime.slots import LONGEST, PATIENCE, SLOTS, Slots

log = logging.getLogger(__name__)

# What stands for the address of a client that has none: a Unix socket's.
NO_ADDRESS = "0.0.0.0"  # noqa: S104  no address to listen on
LOCKED_OUT = frozenset({"too_many_login_attempts", "rate_limited"})
# As often as allauth counts for what was typed: both names of an account have these in common.
GUESSES = limits.Limit("sign_in_account", {"account": "5/5m"})
ATTEMPTS = Slots(SLOTS, patience=2 * PATIENCE, longest=LONGEST)
"""Passwords that this process looks at now. An attempt counts as a wrong one until it is known: of
many people who come at once from one address, most would be told that they had tried too often."""
NOT_RIGHT = gettext_lazy(
    "Name or password is not right. If you are sure of them: after many wrong "
    "attempts, anybody's, right ones are refused for 5 minutes, too."
)


_CONFIRMING = timedelta(days=EMAIL_CONFIRMATION_EXPIRE_DAYS)
_USEFUL = {
    "password_reset_key": timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
    "email_confirmation": _CONFIRMING,
    "email_confirmation_signup": _CONFIRMING,
}
"""How long the link of a mail works: later it is not sent."""


class _Wrong(Exception):
    """The password is not that of the account, or there is no such account."""


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        # Said where nobody knows how long, of mails that were asked for again.
        **dict.fromkeys(LOCKED_OUT, gettext_lazy("Too many attempts. Try again in a few minutes.")),
        **dict.fromkeys(("username_password_mismatch", "email_password_mismatch"), NOT_RIGHT),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Closed unless the setting opens it; the closed page says to ask an administrator."""
        return bool(settings.ACCOUNT_OPEN_SIGNUP)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """As who was invited or added: whoever signs up is a member."""
        # A password takes its turn: before the transaction, so that no other write waits with it.
        made: User = super().save_user(request, user, form, commit=False)
        if commit:
            with powers.as_one():
                made.save()
                made.groups.add(members.ensure_members_group())
        return made

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the log records is the one that rate limits count."""
        return client_address(request) or NO_ADDRESS

    # --- Limits

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Attempts that are told of count for what was typed, whether there is such an account."""
        typed = typed_name(credentials).lower()
        return limits.digest(f"typed:{typed}" if typed else f"account:{credentials['account'].pk}")

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse, record and say how long, where the limit on failures is reached."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as refused:
            raise self._locked_out(request, credentials, refused.code or "") from None

    def _locked_out(
        self, request: HttpRequest, credentials: dict[str, Any], code: str, wait: int = 0
    ) -> ValidationError:
        key = self._get_login_attempts_cache_key(request, **credentials)
        return lockouts.refusal(
            request,
            wait or limits.wait_for(request, "login_failed", key=key),
            action=lockouts.SIGN_IN,
            code=code,
            key=key,
            user=credentials["account"],
        )

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Whose password it is; None where it is wrong, or not looked at for too many wrong ones.

        Guesses count for what was typed and, under whichever name, for the account. That the first
        count is full is told. That the second is must not be, or two names that are refused
        together would be one person's: so it looks like a wrong password, and takes as long. Only
        who is signed in may know, since the account is theirs. Raises TooBusy, ValidationError.
        """
        typed = typed_name(credentials)
        if typed:
            # One question, here, for all that follows: as many for a name that nobody has.
            credentials["account"] = account_tried(credentials)
        release()  # Nobody needs a connection while waiting for a turn.
        with ATTEMPTS.taken():
            return self._attempt(request, credentials, typed)

    def _attempt(
        self, request: HttpRequest, credentials: dict[str, Any], typed: str
    ) -> User | None:
        account: User | None = credentials["account"]
        counted = account.pk if account else limits.digest(typed.lower())
        self.pre_authenticate(request, **credentials)
        try:
            with GUESSES.counting(request, _Wrong, account=counted):
                user = self._authenticate(request, credentials)
        except _Wrong:
            return None
        except limits.LimitReached as reached:
            if not typed:
                code = "too_many_login_attempts"
                raise self._locked_out(request, credentials, code, reached.wait) from None
            make_password(str(credentials.get("password", "")))
            record_failure(credentials, request, locked_out=True)
            return None
        except BaseException:
            # Nothing was learnt of the password: it does not count.
            self._rollback_login_failed_rl_usage()
            raise
        self._rollback_login_failed_rl_usage()
        return user

    def _authenticate(self, request: HttpRequest, credentials: dict[str, Any]) -> User:
        AuthenticationBackend.unstash_authenticated_user()
        user: Any = authenticate(request, **credentials)
        # One that is not active, and whose password is right: the page says so.
        user = user or AuthenticationBackend.unstash_authenticated_user()
        if user is None:
            raise _Wrong
        found: User = user
        return found

    def reauthenticate(self, user: User, password: str) -> bool:
        """Whether it is the password of somebody signed in. Raises TooBusy, ValidationError."""
        found = self.authenticate(around.request, account=user, password=password)
        return found is not None and found.pk == user.pk

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """After a reset its owner gets in again, by the address that it went to."""
        super()._delete_login_attempts_cached_email(request, **credentials)
        account = account_tried(credentials)
        if account is not None:
            GUESSES.clear(request, account=account.pk)

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
        """Let it wait to be sent: no mail server holds a page up. Raises KeyAway."""
        hours = settings.PASSWORD_RESET_TIMEOUT // 3600
        request = self.request
        around_it = {"request": request, "email": email, "current_site": get_current_site(request)}
        reader = context.get("user") or User.objects.filter(email__iexact=email).first()
        # Some mails are written when a transaction commits, which may be after the request.
        with request_context(request), preferences.of_reader(reader):
            told = {"reset_hours": hours, **around_it, **context}
            message = self.render_mail(template_prefix, email, told)
            language = get_language() or ""
        kind = template_prefix.rpartition("/")[2]
        mail.put(
            message.subject,
            message.body,
            kind=kind,
            to=email,
            person=reader,
            language=language,
            useful_for=_USEFUL.get(kind),
            site=f"{request.scheme}://{request.get_host()}",
        )

    def send_account_already_exists_mail(self, email: str) -> None:
        """Signing up with an address that is known must take as long as with another."""
        make_password(email)
        super().send_account_already_exists_mail(email)

    def format_email_subject(self, subject: str) -> str:
        return f"[Securestore] {subject}"

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What it tells of has happened: a key service that is away must not make it an error."""
        try:
            super().send_notification_mail(*args, **kwargs)
        except KeyAway as away:
            log.error("a notification was not written: %s", away)

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
    """Second factors of this site. Who has the keys joins it with them (`settings.MFA_ADAPTER`).

    allauth would store seeds as they are: without keys there are none.
    """

    def encrypt(self, text: str) -> str:
        """The seed as the database may keep it."""
        raise NotImplementedError

    def decrypt(self, encrypted_text: str) -> str:
        """The seed that `encrypt` was given."""
        raise NotImplementedError

    def still_readable(self, encrypted_text: str) -> str | None:
        """As `decrypt`; None where it does not open: altered, or its key is gone."""
        raise NotImplementedError

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        count = Authenticator.objects.filter(user=user, type=type).count()
        if not count:
            return gettext("Passkey")
        return gettext("Passkey %(number)d") % {"number": count + 1}
