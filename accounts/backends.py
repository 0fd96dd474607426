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
from django.contrib.auth.models import Permission
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.http import HttpRequest

from accounts.models import User
from runtime.statements import NUMBER, statement


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

    def get_user(self, user_id: int) -> User | None:
        """Whose session that is, as the account is now."""
        user = _account.first(number=user_id)
        return user if user is not None and self.user_can_authenticate(user) else None

    def _get_permissions(self, user_obj: Any, obj: Any, from_name: str) -> set[str]:
        """As Django's, by statements that are written once."""
        if not user_obj.is_active or user_obj.is_superuser or obj is not None:
            everything: set[str] = super()._get_permissions(user_obj, obj, from_name)
            return everything
        kept = f"_{from_name}_perm_cache"  # As Django's, which what changes powers forgets.
        if not hasattr(user_obj, kept):
            found = _POWERS[from_name](person=user_obj.pk)
            setattr(user_obj, kept, {f"{app}.{codename}" for app, codename in found})
        powers: set[str] = getattr(user_obj, kept)
        return powers


@statement(number=NUMBER)
def _account(number: Any) -> QuerySet[User]:
    return User._default_manager.filter(pk=number)


@statement(person=NUMBER)
def _own_powers(person: Any) -> QuerySet[Any, tuple[str, str]]:
    return _named(Permission.objects.filter(user=person))


@statement(person=NUMBER)
def _groups_powers(person: Any) -> QuerySet[Any, tuple[str, str]]:
    return _named(Permission.objects.filter(group__user=person))


def _named(powers: QuerySet[Permission]) -> QuerySet[Any, tuple[str, str]]:
    return powers.order_by().values_list("content_type__app_label", "codename")


_POWERS = {"user": _own_powers, "group": _groups_powers}


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
