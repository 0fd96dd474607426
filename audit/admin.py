"""The audit log in the admin: to be read, searched and filtered, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.events import Event, label
from audit.models import AuditEvent
from securestore.administration import DiscreetHistory, SoundSelections

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[AuditEvent]
else:
    BaseAdmin = admin.ModelAdmin  # Generic for the type checker only.


class EventFilter(admin.SimpleListFilter):
    """Lists the events that there are, without asking a large table which occurred."""

    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(event.value, label(event)) for event in Event]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent]
    ) -> QuerySet[AuditEvent]:
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(DiscreetHistory, SoundSelections, BaseAdmin):
    list_display = ("id", "at", "event_label", "actor_name", "address", "file_id", "data")
    list_filter = (EventFilter, "at")
    search_fields = ("=actor_name", "=address", "=request_id", "=file_id")
    search_help_text = "A user name, an address, a request or a file, written in full"
    ordering = ("-id",)
    show_full_result_count = False

    @admin.display(description="event", ordering="event")
    def event_label(self, event: AuditEvent) -> str:
        return label(event.event)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False
