"""The queue of mails in the administration: to whom, of what kind, how it goes. Never its words."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from accounts.administration import Guarded
from notices import queue
from notices.models import Mail
from runtime.clock import Now

STATES = {
    "waiting": pgettext_lazy("mail", "waiting"),
    "failing": pgettext_lazy("mail", "failing"),
    "sent": pgettext_lazy("mail", "sent"),
    "given up": pgettext_lazy("mail", "given up"),
}


class StateFilter(admin.SimpleListFilter):
    """By what became of them."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(STATES.items())

    def queryset(self, request: HttpRequest, rows: QuerySet[Mail]) -> QuerySet[Mail]:
        match self.value():
            case "waiting":
                return rows.filter(sent_at=None, ended_at=None)
            case "failing":
                return rows.filter(sent_at=None, ended_at=None).exclude(last_error="")
            case "sent":
                return rows.filter(sent_at__isnull=False)
            case "given up":
                return rows.filter(ended_at__isnull=False)
        return rows


class MailAdmin(Guarded, admin.ModelAdmin[Mail]):
    """To be read; what fails may be tried again at once."""

    list_display = ("kind", "to", "state", "made_at", "sent_at", "attempts", "said")
    list_display_links = None
    list_filter = (StateFilter,)
    search_fields = ("to", "message_id")
    search_help_text = _("By the receiver's address or the Message-ID.")
    actions = ("try_now",)
    show_full_result_count = False

    @admin.display(description=_("state"))
    def state(self, mail: Mail) -> Any:
        return STATES[mail.state]

    @admin.display(description=_("what the mail server said"))
    def said(self, mail: Mail) -> str:
        return queue.said(mail.last_error)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Mail | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Mail | None = None) -> Any:
        hidden = {"content", "wrapped_key", "master_key_id", "lease", "leased_until", "language"}
        hidden.add("last_error")  # As `said`.
        return [*(field.name for field in Mail._meta.fields if field.name not in hidden), "said"]

    def get_fields(self, request: HttpRequest, obj: Mail | None = None) -> Any:
        return self.get_readonly_fields(request, obj)

    @admin.action(description=_("Try the chosen mails again now"), permissions=["change"])
    def try_now(self, request: HttpRequest, chosen: QuerySet[Mail]) -> None:
        """Those that wait; what was given up is erased, and cannot be sent."""
        tried = queue.waiting().filter(pk__in=chosen.values("pk")).update(due_at=Now())
        text = ngettext("%(n)s mail is tried now.", "%(n)s mails are tried now.", tried)
        self.message_user(request, text % {"n": tried}, messages.SUCCESS)
