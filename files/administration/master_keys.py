"""The admin's page of master keys: what each protects. It shows no key, and changes nothing."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from files.models import MasterKey
from files.rotation.key_report import report

STATES = (
    pgettext_lazy("master key", "primary"),
    pgettext_lazy("master key", "configured"),
    pgettext_lazy("master key", "MISSING"),
    pgettext_lazy("master key", "retired"),
    pgettext_lazy("master key", "not needed"),
)
"""What `key_report` says of a key, here to be translated."""


@admin.register(MasterKey)
class MasterKeyAdmin(admin.ModelAdmin[MasterKey]):
    """One page in the place of the usual list: for staff who may view master keys."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="files_masterkey_changelist")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Master keys"),
            "opts": self.opts,
            "lines": report(),
        }
        return TemplateResponse(request, "admin/files/masterkey/report.html", context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: MasterKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: MasterKey | None = None) -> bool:
        return False
