"""The list of files, and the search."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import (
    HttpRequest,
    HttpResponse,
)
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from files.lists import paging
from files.web.requested import user_of


@require_safe
@login_required
def file_list(request: HttpRequest) -> HttpResponse:
    """Own and shared files, newest first, searched by name."""
    query = request.GET.get("q", "").strip()[:200]
    cursor = request.GET.get("after", "")
    page = paging.page_of(
        user_of(request), query=query, cursor=cursor, length=settings.FILES_PER_PAGE
    )
    kept = {"q": query} if query else {}
    context = {
        "query": query,
        "records": page.records,
        "is_cut": page.is_cut,
        "next_url": _query({**kept, "after": page.next_cursor}) if page.next_cursor else "",
        "first_url": _query(kept) if cursor else "",
    }
    return render(request, "files/list.html", context)


def _query(parameters: dict[str, str]) -> str:
    return "?" + urlencode(parameters)
