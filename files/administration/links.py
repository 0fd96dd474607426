"""Links in the administration: all there are, whose, to what, until when; they are ended here.

Nothing else of one is changed, and none is deleted: they are history. What a link's URL is, nobody
can see here either.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from files.administration.bounds import BoundsFilter
from files.administration.grants import actor_of
from files.models import Link
from files.sharing.links import ending, listing
from runtime.administration import BoundedPaginator, status

STATES = {
    "live": (_("active"), "well"),
    "expired": (_("over"), "over"),
    "revoked": (_("ended"), "over"),
    "exhausted": (_("used up"), "over"),
}
"""The states of a link by itself, as words and how they look; its maker's access is another."""


class StateFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, Any]]:
        return [(name, word) for name, (word, _tone) in STATES.items()]

    def queryset(self, request: Any, queryset: QuerySet[Link]) -> QuerySet[Link] | None:
        now = timezone.now()
        lasting = queryset.filter(revoked_at=None, expires_at__gt=now)
        chosen: dict[str | None, QuerySet[Link]] = {
            "live": lasting.filter(ended_at=None),
            "exhausted": lasting.exclude(ended_at=None),
            "expired": queryset.filter(revoked_at=None, expires_at__lte=now),
            "revoked": queryset.exclude(revoked_at=None),
        }
        return chosen.get(self.value(), queryset)


class ProtectedFilter(admin.SimpleListFilter):
    title = _("takes")
    parameter_name = "takes"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, Any]]:
        return [("password", _("a password")), ("code", _("a code")), ("nothing", _("nothing"))]

    def queryset(self, request: Any, queryset: QuerySet[Link]) -> QuerySet[Link] | None:
        chosen: dict[str | None, QuerySet[Link]] = {
            "password": queryset.exclude(password=""),
            "code": queryset.exclude(addresses=""),
            "nothing": queryset.filter(password="", addresses=""),
        }
        return chosen.get(self.value(), queryset)


class BeyondFilter(BoundsFilter):
    def beyond(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return listing.beyond_bounds(rows)


class LinkAdmin(admin.ModelAdmin[Link]):
    view_on_site = False
    list_display = (
        *("number", "shown_state", "maker", "what", "label", "expires_at"),
        *("takes", "downloads_told", "opened", "attempts"),
    )
    list_filter = (StateFilter, BeyondFilter, ProtectedFilter, "expires_at", "created_at")
    list_select_related = ("maker", "file", "folder")
    list_per_page = 50
    ordering = ("-created_at", "-id")
    search_fields = ("label", "file__name", "folder__name", "maker__username", "maker__email")
    search_help_text = _("A part of a note or a name; or of a maker's name or address")
    fields = (
        *("shown_state", "maker", "what", "label", "created_at", "expires_at", "takes"),
        *("addresses", "most", "used", "charged", "opened", "last_opened_at", "attempts"),
        *("revoked_at", "revoked_by"),
    )
    readonly_fields = fields
    actions = ("end",)
    show_full_result_count = False
    paginator = BoundedPaginator

    @admin.action(description=_("End the selected links"), permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[Link]) -> None:
        actor = actor_of(request)
        ended = sum(ending.revoke(one, actor=actor) for one in queryset)
        text = ngettext("%(n)d link has ended.", "%(n)d links have ended.", ended)
        messages.success(request, text % {"n": ended})

    @admin.display(description=_("number"), ordering="id")
    def number(self, link: Link) -> int:
        return int(link.pk)

    @admin.display(description=_("status"))
    def shown_state(self, link: Link) -> str:
        word, tone = STATES[link.state]
        return status(word, tone)

    @admin.display(description=_("what"))
    def what(self, link: Link) -> str:
        if link.folder is not None:
            return _("the folder “%(name)s”") % {"name": link.folder}
        return str(link.file)

    @admin.display(description=_("takes"))
    def takes(self, link: Link) -> str:
        password = [str(_("a password"))] if link.password else []
        code = [str(_("a code"))] if link.addresses else []
        return ", ".join(password + code) or str(_("nothing"))

    @admin.display(description=_("downloads"))
    def downloads_told(self, link: Link) -> str:
        return str(link.used) if link.most is None else f"{link.used} / {link.most}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Link | None = None) -> bool:
        return False
