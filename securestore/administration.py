"""The administration: its site, and what all of its pages have in common.

Whatever is registered, by us or by a package, becomes `Guarded`: closed to who has no business
there by the table of `accounts.authority`, and proof against requests that make no sense.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Field, ForeignKey, ManyToManyField, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.utils import DataError, ProgrammingError
from django.forms import ModelChoiceField, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from accounts import authority

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
                _require_id(selected, self.opts.pk)
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
        sound = [one for one in value if one in {"", None} or _is_id(one, target)]
        return super().optgroups(name, sound, attr)


def _require_id(value: Any, field: Field[Any, Any]) -> None:
    """Raise ValidationError where a value cannot be one of the field, its range included."""
    if value in {"", None}:  # A key that counts by itself takes these, to be filled in.
        raise ValidationError("Nothing is no id.")
    field.clean(value, None)


def _is_id(value: Any, field: Field[Any, Any]) -> bool:
    try:
        _require_id(value, field)
    except ValidationError:
        return False
    return True


class SoundMultipleChoiceField(ModelMultipleChoiceField[Any]):
    """As Django's, but refuses numbers that no row has where Django fails with a traceback."""

    def _check_values(self, value: Any) -> QuerySet[Any]:
        for one in value:
            if self.queryset is None or not _is_id(one, self.queryset.model._meta.pk):
                raise ValidationError(
                    self.error_messages["invalid_pk_value"],
                    code="invalid_pk_value",
                    params={"pk": str(one)[:50]},
                )
        return super()._check_values(value)  # type: ignore[misc, no-any-return]


class SoundChoices(Base):
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
                    f"The link that led here had no value for “{name[:50]}” that makes sense: it "
                    "was left out.",
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


_COSTLY = {"regex", "iregex", "range", "search", "trigram_similar"}
"""Comparisons that no filter of ours makes, and that take expressions or pairs."""


class Guarded(SoundPresets, DiscreetHistory, SoundChoices, SoundSelections):
    """The rule of `accounts.authority` before every page of a model, whoever wrote that page."""

    def _lets_write(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return authority.lets_write(request.user, self.model, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        known = authority.rule_of(self.model) is not None
        return known and super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        known = authority.rule_of(self.model) is not None
        return known and super().has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._lets_write(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._lets_write(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._lets_write(request, obj) and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> Any:
        """Django leaves one that names no permission to everybody who sees the list."""
        actions = super().get_actions(request)
        if self._lets_write(request):
            return actions
        return {
            name: action
            for name, action in actions.items()
            if action and "view" in getattr(action[0], "allowed_permissions", ())
        }

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, *sorted(authority.withheld(request.user, self.model) - {*fields}))

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """Whom a row is about is nobody with more power than whoever writes it."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        rule = authority.rule_of(self.model)
        if field is not None and rule is not None and rule.person == db_field.name:
            field.validators.append(partial(authority.refuse_above, request.user))
        return field

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Django's actions ask for permissions in general, and not for every row."""
        rule = authority.rule_of(self.model)
        if rule is not None and rule.who is authority.Who.NOT_BELOW:
            chosen = queryset
            if request.POST.get("select_across", "0") != "1":
                chosen = _selected(request, queryset)
            for one in chosen:
                if not self._lets_write(request, one):
                    text = f"{one} has powers that you do not have: nothing was done."
                    self.message_user(request, text, messages.ERROR)
                    return None
        return super().response_action(request, queryset, *args, **kwargs)

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> Any:
        inlines = super().get_inline_instances(request, obj)
        return [one for one in inlines if authority.lets_write(request.user, one.model)]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Of its own fields those that are shown: others (hashes, seeds) could be guessed at."""
        name, *further = lookup.split(LOOKUP_SEP)
        if _COSTLY & set(further):
            return False
        hidden = {field.name for field in self.opts.get_fields()} - self._asked_for(request)
        return name not in hidden and super().lookup_allowed(lookup, value, request)

    def _asked_for(self, request: HttpRequest) -> set[str]:
        """The fields that pages show or filter by, and the one that they link with."""
        filters: list[Any] = []
        for one in self.get_list_filter(request):
            chosen = one[0] if isinstance(one, tuple | list) else one
            filters.append(getattr(chosen, "parameter_name", chosen))
        on_pages = flatten_fieldsets(self.get_fieldsets(request))
        shown = [*self.get_list_display(request), *on_pages, *filters, *self.asked_for]
        named = {str(one).split(LOOKUP_SEP, 1)[0] for one in shown}
        return {*named, self.opts.pk.name, str(self.date_hierarchy)}

    asked_for: tuple[str, ...] = ()
    """Further fields that links of ours ask the list for."""


def _selected(request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The rows whose boxes are ticked; none where that makes no sense, which is told elsewhere."""
    field, ids = queryset.model._meta.pk, request.POST.getlist(ACTION_CHECKBOX_NAME)
    return queryset.filter(pk__in=[one for one in ids if _is_id(one, field)])


class Site(admin.AdminSite):
    """Django's, but what is registered here is `Guarded`."""

    def register(
        self,
        model_or_iterable: Any,
        admin_class: type[ModelAdmin[Any]] | None = None,
        **options: Any,
    ) -> None:
        chosen: Any = admin_class or admin.ModelAdmin
        if not issubclass(chosen, Guarded):
            chosen = type(chosen.__name__, (Guarded, chosen), {"__module__": chosen.__module__})
        super().register(model_or_iterable, chosen, **options)
