"""What pages of Django's admin lack: proof against requests that make no sense, and bounds.

Knows no model of ours. Must never decide who may do what: that is `accounts.authority`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import DateTimeField, Field, ForeignKey, ManyToManyField, QuerySet
from django.db.utils import DataError, ProgrammingError
from django.forms import ModelChoiceField, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _

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


class Moment(forms.DateTimeInput):
    """The browser's own field for a day and a time: one label, and nothing that a script adds."""

    input_type = "datetime-local"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%dT%H:%M:%S")


class OneFieldMoments(Base):
    """Pages and inlines whose moments are one field each, where Django makes two without labels."""

    formfield_overrides: ClassVar[Any] = {
        DateTimeField: {"form_class": forms.DateTimeField, "widget": Moment},
    }


def status(word: Any, tone: str = "") -> str:
    """A word for the state of a row. `tone`: `well`, `ill`, `soon`, `over`, or none of them."""
    return format_html('<span class="status {}">{}</span>', tone, word)


_NONSENSE = (ValueError, TypeError, OverflowError, DataError, ProgrammingError)
"""What comes of values that a field, or the database, cannot compare with."""


class SoundSelections(Base):
    """Refuses selections and filters that make no sense, where Django fails with a traceback."""

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        return super().get_object(request, object_id, from_field or None)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        try:
            return super().get_changelist_instance(request)
        except _NONSENSE as nonsense:  # A year that no calendar has.
            raise IncorrectLookupParameters(nonsense) from nonsense

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        try:
            for selected in request.POST.getlist(ACTION_CHECKBOX_NAME):
                require_id(selected, self.opts.pk)
        except ValidationError:
            self.message_user(
                request, _("That selection makes no sense: nothing was done."), messages.ERROR
            )
            return None
        return super().response_action(request, queryset, *args, **kwargs)


class SoundAutocomplete(AutocompleteSelect):
    """As Django's, but shows a form again whose value is no id, and not a traceback."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        target = self.field.remote_field.get_related_field()
        sound = [one for one in value if one in {"", None} or is_id(one, target)]
        return super().optgroups(name, sound, attr)


def require_id(value: Any, field: Field[Any, Any]) -> None:
    """Raise ValidationError where a value cannot be one of the field, its range included."""
    if value in {"", None}:  # A key that counts by itself takes these, to be filled in.
        raise ValidationError(_("Nothing is no id."))
    field.clean(value, None)


def is_id(value: Any, field: Field[Any, Any]) -> bool:
    try:
        require_id(value, field)
    except ValidationError:
        return False
    return True


class SoundMultipleChoiceField(ModelMultipleChoiceField[Any]):
    """As Django's, but refuses numbers that no row has where Django fails with a traceback."""

    def _check_values(self, value: Any) -> QuerySet[Any]:
        for one in value:
            if self.queryset is None or not is_id(one, self.queryset.model._meta.pk):
                raise ValidationError(
                    self.error_messages["invalid_pk_value"],
                    code="invalid_pk_value",
                    params={"pk": str(one)[:50]},
                )
        return super()._check_values(value)  # type: ignore[misc, no-any-return]


class SoundChoices(OneFieldMoments):
    """Pages and inlines whose `autocomplete_fields` take any value without a traceback."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", SoundAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        kwargs.setdefault("form_class", SoundMultipleChoiceField)
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class SoundPresets(Base):
    """Add pages that any link may fill in: what makes no sense is left out, with a word."""

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        sound: dict[str, Any] = {}
        for name, value in super().get_changeform_initial_data(request).items():
            try:
                sound[name] = self._preset(name, value)
            except (ValidationError, ValueError, TypeError, OverflowError, FieldDoesNotExist):
                self.message_user(
                    request,
                    _(
                        "The link that led here had no value for “%(name)s” that makes sense: it "
                        "was left out."
                    )
                    % {"name": name[:50]},
                    messages.WARNING,
                )
        return sound

    def _preset(self, name: str, value: Any) -> Any:
        field: Any = self.opts.get_field(name)
        if isinstance(field, ManyToManyField):
            target = field.remote_field.model._meta.pk
            return [target.clean(one, None) for one in value]
        if isinstance(field, ForeignKey):
            return field.target_field.clean(value, None)
        if not isinstance(field, Field) or not field.editable:
            raise FieldDoesNotExist(name)
        return field.to_python(value)
