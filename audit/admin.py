"""The audit log in the admin: to be read, filtered and exported, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from audit import details, exports, filters
from audit.context import Actor
from audit.events import label
from audit.models import AuditEvent
from runtime.administration import BoundedPaginator

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[AuditEvent]
else:
    BaseAdmin = admin.ModelAdmin  # Generic for the type checker only.


@admin.register(AuditEvent)
class AuditEventAdmin(BaseAdmin):
    list_display = ("at", "event_label", "actor_name", "details", "subject", "address", "id")
    list_filter = (*filters.ALL, "at")
    search_fields = ("=actor_name", "=address", "=request_id", "=file_id")
    search_help_text = _("A user name, an address, a request or a file, written in full")
    ordering = ("-id",)
    show_full_result_count = False
    paginator = BoundedPaginator
    actions = ("export_csv", "export_json")
    fields = (
        *("id", "at", "event_label", "actor_name", "subject", "details", "address"),
        *("user_agent", "request_id", "actor_id", "file_id", "grant_id", "data"),
        *("previous_mac", "mac"),
    )
    readonly_fields = ("event_label", "subject", "details")

    @admin.display(description=_("event"), ordering="event")
    def event_label(self, event: AuditEvent) -> str:
        return label(event.event)

    @admin.display(description=_("details"))
    def details(self, event: AuditEvent) -> str:
        """All that it says, in words."""
        return details.shown(event.data)

    @admin.display(description=_("file"))
    def subject(self, event: AuditEvent) -> str:
        """What it is about; by its id, where nobody here knows a name."""
        return str(event.file_id or "")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False

    # --- Exports --------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export)
        return [path("export/", view, name="audit_auditevent_export"), *super().get_urls()]

    @method_decorator(require_POST)
    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Everything that the list shows with the filters of the query, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = request.POST.get("format", "")
        if form not in exports.FORMATS:
            raise Http404
        try:
            events = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            raise Http404 from None
        return exports.answer(
            events,
            form,
            actor=cast("Actor", request.user),
            chosen_by=request.GET.urlencode(),
        )

    @admin.action(description=_("Export the selected events as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> HttpResponseBase:
        return self._export_selected(request, queryset, "csv")

    @admin.action(description=_("Export the selected events as JSON"), permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> HttpResponseBase:
        return self._export_selected(request, queryset, "json")

    def _export_selected(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], form: str
    ) -> HttpResponseBase:
        actor = cast("Actor", request.user)
        return exports.answer(queryset, form, actor=actor, chosen_by="selected by hand")
