"""Requests in the administration: all there are, whose, for what, until when; they are ended here.

Nothing else of one is changed, and none is deleted: they are history.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from files.administration.bounds import BoundsFilter
from files.administration.folders import folder_link
from files.administration.grants import actor_of
from files.models import FileRequest
from files.sharing import requests
from runtime.administration import BoundedPaginator, status


class OverFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "over"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, Any]]:
        return [("no", _("open")), ("yes", _("ended"))]

    def queryset(
        self, request: Any, queryset: QuerySet[FileRequest]
    ) -> QuerySet[FileRequest] | None:
        lasting = FileRequest.objects.lasting().values("pk")
        if self.value() == "no":
            return queryset.filter(pk__in=lasting)
        return queryset.exclude(pk__in=lasting) if self.value() == "yes" else queryset


class BeyondFilter(BoundsFilter):
    def beyond(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return requests.beyond_bounds(rows)


class FileRequestAdmin(admin.ModelAdmin[FileRequest]):
    view_on_site = False
    list_display = (
        *("title", "status", "maker", "where", "expires_at"),
        *("senders", "files", "size", "waiting", "wrong_codes"),
    )
    list_filter = (OverFilter, BeyondFilter, "identify", "accept_first", "expires_at")
    list_select_related = ("maker", "folder__parent")
    list_per_page = 50
    ordering = ("-created_at",)
    search_fields = ("title", "folder__name", "maker__username", "maker__email")
    search_help_text = _("A part of a title or a folder's name; or of a maker's name or address")
    fields = (
        *("title", "words", "status", "maker", "where", "created_at", "expires_at"),
        *("ended_at", "ended_by", "identify", "addresses", "most_bytes", "most_files"),
        *("most_senders", "accept_first", "senders", "files", "size", "waiting"),
        *("wrong_codes", "wrong_at"),
    )
    readonly_fields = fields
    actions = ("end",)
    show_full_result_count = False
    paginator = BoundedPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[FileRequest]:
        return requests.with_numbers(super().get_queryset(request))

    @admin.action(description=_("End the selected requests"), permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[FileRequest]) -> None:
        actor = actor_of(request)
        ended = sum(requests.end(one, actor=actor) for one in queryset)
        text = ngettext("%(n)d request has ended.", "%(n)d requests have ended.", ended)
        messages.success(request, text % {"n": ended})

    @admin.display(description=_("status"))
    def status(self, one: FileRequest) -> str:
        if one.ended_at is not None:
            return status(_("ended"), "over")
        if one.expires_at <= timezone.now():
            return status(_("over"), "over")
        return status(_("open"), "well")

    @admin.display(description=_("folder"))
    def where(self, one: FileRequest) -> str:
        return folder_link(one.folder)

    @admin.display(description=_("senders"))
    def senders(self, one: Any) -> int:
        return int(one.senders_n)

    @admin.display(description=_("files"))
    def files(self, one: Any) -> int:
        return int(one.files_n)

    @admin.display(description=_("size"))
    def size(self, one: Any) -> str:
        return filesizeformat(one.bytes_n)

    @admin.display(description=_("waiting"))
    def waiting(self, one: Any) -> int:
        return int(one.waiting_n)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: FileRequest | None = None) -> bool:
        return False
