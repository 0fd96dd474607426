"""The administration: its site, to which whatever is registered is closed at first.

By us or by a package, it becomes `Guarded`: closed to who has no business there by the table of
`accounts.authority`, and proof against requests that make no sense.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import ForeignKey, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts import authority
from runtime.administration import (
    DiscreetHistory,
    SoundChoices,
    SoundPresets,
    SoundSelections,
    is_id,
)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

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
                    text = _("%(person)s has powers that you do not have: nothing was done.") % {
                        "person": one
                    }
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
        asked_for = getattr(self, "asked_for", ())
        shown = [*self.get_list_display(request), *on_pages, *filters, *asked_for]
        named = {str(one).split(LOOKUP_SEP, 1)[0] for one in shown}
        return {*named, self.opts.pk.name, str(self.date_hierarchy)}

    asked_for: tuple[str, ...]
    """Further fields that links of ours ask the list for, where there are any."""


def _selected(request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The rows whose boxes are ticked; none where that makes no sense, which is told elsewhere."""
    field, ids = queryset.model._meta.pk, request.POST.getlist(ACTION_CHECKBOX_NAME)
    return queryset.filter(pk__in=[one for one in ids if is_id(one, field)])


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
