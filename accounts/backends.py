"""The one way in with a password, by user name or by e-mail address: one hash for every attempt.

How long an answer takes must not tell whether there is such an account, nor which of its names was
typed. So there is one backend that knows passwords, and it hashes once, whatever it finds: nobody,
one account, several, one that is not active, or one without a password.
"""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import HttpRequest

from accounts.models import User


class PasswordBackend(AuthenticationBackend):
    """As allauth's, but for how it finds the account and how often it hashes."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """The account whose name and password these are. Raises TooBusy.

        `account` says which it is, where that is known already; None: nobody.
        """
        password = credentials.get("password")
        if not isinstance(password, str) or not password:
            return None
        account = credentials["account"] if "account" in credentials else account_tried(credentials)
        if account is None:
            make_password(password)
            return None
        found: User | None = self._check_password(account, password)
        return found


def typed_name(credentials: dict[str, Any]) -> str:
    """What was typed for a name or an address; allauth gives it under both names, or one."""
    return str(credentials.get("username") or credentials.get("email") or "")


def account_tried(credentials: dict[str, Any]) -> User | None:
    """The account that a user name or an e-mail address means, if any: in one query.

    Somebody may have chosen another's address for a user name: a confirmed address comes first,
    then an account's own, then a name.
    """
    name = typed_name(credentials)
    confirmed = EmailAddress.objects.filter(email__iexact=name, verified=True)
    by_confirmed = Q(pk__in=confirmed.values("user_id"))
    by_address = Q(email__iexact=name)
    found = User.objects.filter(by_confirmed | by_address | Q(username__iexact=name))
    if not name:
        found = found.none()
    how = Case(
        When(by_confirmed, then=Value(0)),
        When(by_address, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    return found.order_by(how, "pk").first()
