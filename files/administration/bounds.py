"""The filter of what came before a bound of today: links and requests alike.

Must never decide what is beyond: that is said where each is made.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _


class BoundsFilter(admin.SimpleListFilter):
    """Those that came before a bound of today."""

    title = _("bounds")
    parameter_name = "bounds"

    def beyond(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of the rows that go beyond what may be made today."""
        raise NotImplementedError

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, Any]]:
        return [("beyond", _("beyond those of today"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return self.beyond(queryset) if self.value() == "beyond" else queryset
