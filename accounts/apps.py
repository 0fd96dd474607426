"""Registers the accounts app and connects its signals."""

from allauth.usersessions.apps import UserSessionsConfig as AllauthUserSessionsConfig
from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class AccountsConfig(AppConfig):
    name = "accounts"
    default = True
    verbose_name = gettext_lazy("People")

    def ready(self) -> None:
        # Models exist only from here on.
        from accounts import (  # noqa: F401
            email_addresses,
            finding,
            limits,
            names,
            powers,
            signals,
            totp,
        )


class UserSessionsConfig(AllauthUserSessionsConfig):
    """allauth's sessions without its signals: `accounts.sessions` notes them at every sign-in.

    Its own handler reads each session of the user, one by one.
    """

    def ready(self) -> None:
        """Connect nothing."""
