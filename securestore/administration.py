"""What every page of the administration has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Field, ForeignKey, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    Base = ModelAdmin[Any]
else:
    Base = object


MOST_COUNTED = 10_000
"""Rows that a list of the administration counts, and pages through, at most: filters lead on."""


class BoundedPaginator(Paginator[Any]):
    """Counts no further than `MOST_COUNTED`, however many rows there are."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class DiscreetHistory(Base):
    """Asks for the permission first: Django's history page tells any staff what exists before."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


class SoundSelections(Base):
    """Refuses selections and filters that make no sense, where Django fails with a traceback."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError) as nonsense:  # A year that no calendar has.
            raise IncorrectLookupParameters(nonsense) from nonsense

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        try:
            for selected in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.clean(selected, None)  # Its range, too.
        except ValidationError:
            self.message_user(
                request, "That selection makes no sense: nothing was done.", messages.ERROR
            )
            return None
        return super().response_action(request, queryset, *args, **kwargs)


class SoundAutocomplete(AutocompleteSelect):
    """As Django's, but shows a form again whose value is no id, and not a traceback."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        target = self.field.remote_field.get_related_field()
        return super().optgroups(name, [one for one in value if _is_id(one, target)], attr)


def _is_id(value: Any, field: Field[Any, Any]) -> bool:
    try:
        field.clean(value, None)
    except ValidationError:
        return value in {"", None}
    return True


class SoundChoices(Base):
    """Pages and inlines whose `autocomplete_fields` take any value without a traceback."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", SoundAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
