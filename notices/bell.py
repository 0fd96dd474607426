"""The number beside the bell, for every page that shows one."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest

from notices import reading


def unread(request: HttpRequest) -> dict[str, Any]:
    """`unread_notices`: asked for when a page has a bell, and only then."""
    user = getattr(request, "user", None)

    @cache
    def count() -> int:
        return reading.unread(user.pk) if user is not None and user.is_authenticated else 0

    return {"unread_notices": count}
