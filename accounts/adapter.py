"""How django-allauth is told this site's own rules."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

import audit
from accounts import second_factors
from accounts.signals import account_tried
from audit.addresses import client_address


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Closed unless the setting opens it; the closed page says to ask an administrator."""
        return bool(settings.ACCOUNT_OPEN_SIGNUP)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the log records is the one that rate limits count."""
        return client_address(request)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Record an attempt that the limit on failures refused, its password not looked at."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            user = account_tried(credentials)
            audit.record(
                audit.Event.LOCKED_OUT,
                user_id=user.pk if user else None,
                username=user.username if user else None,
            )
            raise


class MFAAdapter(DefaultMFAAdapter):
    """Seeds of second factors go through the keyring; allauth would store them as they are."""

    def encrypt(self, text: str) -> str:
        return second_factors.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return second_factors.decrypt(encrypted_text)
