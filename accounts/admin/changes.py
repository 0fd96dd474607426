"""What pages of people and groups have in common: how they are changed, deleted and found.

Never names a file: why somebody cannot be deleted is said without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts import finding, powers

if TYPE_CHECKING:
    BaseAnyAdmin = admin.ModelAdmin[Any]
else:
    BaseAnyAdmin = object


class Audited(BaseAnyAdmin):
    """Lets what one form changes be one event: accounts and groups decide who may read what."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with powers.as_one():
            return super().changeform_view(request, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with powers.as_one():
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with powers.as_one():
            super().delete_queryset(request, queryset)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        powers.note(obj, "changed")  # Whatever it was: a name, a quota.
        return super().log_change(request, obj, message)


class ToldObstacles(BaseAnyAdmin):
    """Says in words what stands in the way of a deletion, and names no file."""

    def obstacles(self, things: Any) -> list[str]:
        """Why these cannot be deleted, and what to do instead."""
        return []

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        obstacles = self.obstacles(objs)
        if obstacles:
            return [], {}, set(), obstacles
        return super().get_deleted_objects(objs, request)


class FoundByName(BaseAnyAdmin):
    """Searches, and suggestions in forms, find people and groups without case and accents, too."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if finding.words_typed(search_term):
            found = found | finding.with_parts(queryset, search_term)
        return found, may_repeat
