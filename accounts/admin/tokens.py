"""Tokens of people's programs in the administration, to be looked at and revoked.

Never shows a token; how one is made needs to know folders (`files.administration.tokens`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import tokens
from accounts.models import Token, User
from runtime.administration import status

if TYPE_CHECKING:
    BaseTokenAdmin = admin.ModelAdmin[Token]
else:
    BaseTokenAdmin = admin.ModelAdmin

TOKEN_STATES = {
    "live": (_("live"), "well"),
    "expired": (_("expired"), "over"),
    "revoked": (_("revoked"), "over"),
}
"""The states of a token, as words and how they look."""


@admin.register(Token)
class TokenAdmin(BaseTokenAdmin):
    """Whose programs may what, to be looked at and revoked; how one is made needs to know folders
    (`files.administration.tokens`)."""

    list_display = (
        *("name", "user", "shown_state", "scopes", "expires_at", "last_used_at", "last_used_from"),
        "shown_fingerprint",
    )
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "name", "=digest")
    search_help_text = _("A person, a name, or the SHA-256 of a token")
    fields = (
        *("name", "user", "shown_state", "scopes", "folder_id", "networks", "created_at"),
        *("made_by", "expires_at", "last_used_at", "last_used_from", "revoked_at", "revoked_by"),
        "shown_fingerprint",
    )
    readonly_fields = fields
    actions = ("revoke",)

    @admin.display(description=_("status"))
    def shown_state(self, token: Token) -> str:
        return status(*TOKEN_STATES[token.state])

    @admin.display(description=_("fingerprint"), ordering="digest")
    def shown_fingerprint(self, token: Token) -> str:
        return token.fingerprint

    def has_delete_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        return False

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Token]) -> None:
        actor = cast("User", request.user)
        revoked = sum(tokens.revoke(token, actor=actor) for token in chosen.select_related("user"))
        text = ngettext("%(n)s token revoked.", "%(n)s tokens revoked.", revoked)
        self.message_user(request, text % {"n": revoked}, messages.SUCCESS)
