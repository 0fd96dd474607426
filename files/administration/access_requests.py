"""The requests for access, for administrators: to be read. Who may share something answers them.

What was asked for stands here as the id that was typed, whether there is such a thing or not: a
name would be told to who may not see files.
"""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path

from files.models import AccessRequest


class AccessRequestAdmin(admin.ModelAdmin[AccessRequest]):
    """One list; a row has no page of its own."""

    list_display = (
        "asked_at",
        "asker",
        "kind",
        "wanted",
        "reason",
        "answer",
        "answered_by",
        "word",
    )
    list_display_links = None
    list_filter = ("answer", "kind", "asked_at")
    list_select_related = ("asker", "answered_by")
    search_fields = ("asker__username", "=wanted")
    ordering = ("-pk",)
    list_per_page = 50
    show_full_result_count = False
    actions = None

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="files_accessrequest_changelist")]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessRequest | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AccessRequest | None = None) -> bool:
        return False
