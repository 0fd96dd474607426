"""The filters of the log in the admin: by event, outcome, day, user and file.

What is typed is compared whole, so that an index finds it; what makes no sense finds nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from audit.events import Event, label
from audit.models import AuditEvent

OUTCOMES = {
    "complete": _("complete"),
    "aborted": _("aborted"),
    "revoked": _("revoked"),
    "failed": _("failed"),
    "stopped": _("stopped"),
}

Events = QuerySet[AuditEvent]


class EventFilter(admin.SimpleListFilter):
    """Lists the events that there are, without asking a large table which occurred."""

    title = _("event")
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(event.value, label(event)) for event in Event]

    def queryset(self, request: HttpRequest, queryset: Events) -> Events:
        return queryset.filter(event=self.value()) if self.value() else queryset


class OutcomeFilter(admin.SimpleListFilter):
    """How a download or a command ended."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(OUTCOMES.items())

    def queryset(self, request: HttpRequest, queryset: Events) -> Events:
        return queryset.filter(data__outcome=self.value()) if self.value() else queryset


class TypedFilter(admin.SimpleListFilter):
    """A filter with a field to type into, as a form of its own: it works without a script."""

    template = "admin/audit/typed_filter.html"
    input_type = "text"
    hint: Any = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # There must be some, or Django leaves the filter out.
        return [("", "typed")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        kept = changelist.get_filters_params()
        kept.pop(self.parameter_name, None)
        if changelist.query:
            kept["q"] = changelist.query
        pairs = [(name, value) for name, values in kept.items() for value in _several(values)]
        yield {
            "name": self.parameter_name,
            "value": self.value() or "",
            "type": self.input_type,
            "hint": self.hint,
            "kept": pairs,
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: Events) -> Events:
        typed = (self.value() or "").strip()
        return self.filtered(queryset, typed) if typed else queryset

    def filtered(self, queryset: Events, typed: str) -> Events:
        """The events that what was typed means."""
        raise NotImplementedError


def _several(values: Any) -> list[str]:
    return values if isinstance(values, list) else [str(values)]


class UserFilter(TypedFilter):
    title = _("user")
    parameter_name = "user"
    hint = _("user name, or command:sweep")

    def filtered(self, queryset: Events, typed: str) -> Events:
        # No name holds a NUL, and PostgreSQL refuses to be asked for one.
        return queryset.filter(actor_name=typed.replace("\0", ""))


class FileFilter(TypedFilter):
    title = _("file")
    parameter_name = "file"
    hint = _("a file's id")

    def filtered(self, queryset: Events, typed: str) -> Events:
        try:
            return queryset.filter(file_id=uuid.UUID(typed))
        except ValueError:
            return queryset.none()


class DayFilter(TypedFilter):
    """Whole days, in the site's time zone."""

    input_type = "date"

    def filtered(self, queryset: Events, typed: str) -> Events:
        try:
            day = parse_date(typed)
        except ValueError:
            day = None
        if day is None:
            return queryset.none()
        try:
            return self.around(queryset, timezone.make_aware(datetime.combine(day, time())))
        except (OverflowError, ValueError):
            return queryset.none()

    def around(self, queryset: Events, midnight: datetime) -> Events:
        """The events on the right side of the beginning of that day."""
        raise NotImplementedError


class FromFilter(DayFilter):
    title = _("first day")
    parameter_name = "from"

    def around(self, queryset: Events, midnight: datetime) -> Events:
        return queryset.filter(at__gte=midnight)


class ToFilter(DayFilter):
    title = _("last day")
    parameter_name = "to"

    def around(self, queryset: Events, midnight: datetime) -> Events:
        return queryset.filter(at__lt=midnight + timedelta(days=1))


ALL = (EventFilter, OutcomeFilter, FromFilter, ToFilter, UserFilter, FileFilter)
