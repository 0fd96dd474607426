"""What people sign in with, in the administration: their addresses and their second factors.

Never shows a seed. Sessions have no page: they are their owners' business, and their rows say who
used the site and from where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# Imported for what they register, so that it can be replaced below.
import allauth.account.admin
import allauth.mfa.admin
import allauth.usersessions.admin
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.http import HttpRequest

if TYPE_CHECKING:
    BaseFactorAdmin = admin.ModelAdmin[Authenticator]
    BaseAddressAdmin = admin.ModelAdmin[EmailAddress]
else:
    BaseFactorAdmin = admin.ModelAdmin
    BaseAddressAdmin = allauth.account.admin.EmailAddressAdmin

admin.site.unregister((Authenticator, UserSession, EmailAddress))


@admin.register(EmailAddress)
class EmailAddressAdmin(BaseAddressAdmin):
    """allauth's, that asks for a person by name and not by number."""

    list_display = ("email", "verified", "primary", "user")
    list_select_related = ("user",)
    raw_id_fields = ()
    autocomplete_fields = ("user",)


@admin.register(Authenticator)
class SecondFactorAdmin(BaseFactorAdmin):
    """For people who lost their phone or key: superusers may remove a factor, and see no seed."""

    list_display = ("user", "type", "last_used_at", "created_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    fields = list_display
    readonly_fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return False
