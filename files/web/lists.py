"""The lists: one's own files, what was shared with one, what one had to do with, the trash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import (
    HttpRequest,
    HttpResponse,
)
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from files.access import Access, Person, may_share
from files.lists import contents, paging, recent, shared, trash
from files.lists.contents import Order
from files.lists.rows import Page
from files.models import Folder
from files.vault.quota import taken_by
from files.web.requested import user_of

NEWEST_SHARED = 5
"""Of what was shared with one, so much stands beside one's own files."""

BY_TIME = ("time",)

TRAIL = 20
"""Pages that one can go back one by one; from further on, to the first one at once."""

BETWEEN = "~"
"""Between two cursors of an address; none has it, and it stands in an address as it is."""


@require_safe
@login_required
def file_list(request: HttpRequest) -> HttpResponse:
    """One's own files, and the newest of what was shared with one; the search of everything."""
    user = user_of(request)
    who = Person(user)
    if query := query_of(request):
        return search_page(request, query)
    # Made when something is first put into it.
    root = Folder.objects.filter(owner=user, parent=None).first()
    context = contents_of(request, root) if root is not None else listing(request, Page(), Order())
    if not context["first_url"]:
        context["newest_shared"] = shared.page_of(who, length=NEWEST_SHARED).rows
        context["taken"] = taken_by(user)
    context |= {"folder": root, "access": Access(is_owner=True, level="owner")}
    return render(request, "files/list.html", context)


@require_safe
@login_required
def shared_with_me(request: HttpRequest) -> HttpResponse:
    """Files and folders that others shared with one, by the time of the grant."""
    return _by_time(request, shared.page_of, "files/shared.html")


@require_safe
@login_required
def recent_files(request: HttpRequest) -> HttpResponse:
    """Files that one added, opened or was given, by when that was."""
    return _by_time(request, recent.page_of, "files/recent.html")


@require_safe
@login_required
def trash_list(request: HttpRequest) -> HttpResponse:
    """What was put away and can be brought back, by when that was."""
    return _by_time(request, trash.page_of, "files/trash.html")


def _by_time(request: HttpRequest, page_of: Callable[..., Page], template: str) -> HttpResponse:
    order = Order.of(request.GET.get("sort", ""), allowed=BY_TIME) or Order("time", down=True)
    page = page_of(
        Person(user_of(request)),
        down=order.down,
        cursor=request.GET.get("after", ""),
        length=settings.FILES_PER_PAGE,
    )
    context = listing(request, page, order, default=Order("time", down=True))
    return render(request, template, {**context, "trash_days": settings.TRASH_TIME.days})


# --- What pages of lists have in common ---------------------------------------------------------


def query_of(request: HttpRequest) -> str:
    """What is searched for."""
    return request.GET.get("q", "").strip()[:200]


def search_page(request: HttpRequest, query: str, within: Folder | None = None) -> HttpResponse:
    """What the user may see whose name contains the words; of one folder and below, or of all."""
    page = paging.page_of(
        user_of(request),
        query=query,
        cursor=request.GET.get("after", ""),
        length=settings.FILES_PER_PAGE,
        within=within,
    )
    context = {"query": query, "folder": within, **listing(request, page, Order(), q=query)}
    return render(request, "files/search.html", context)


def contents_of(request: HttpRequest, folder: Folder) -> dict[str, Any]:
    """What a page shows of what is in a folder."""
    order = Order.of(request.GET.get("sort", "")) or Order()
    page = contents.page_of(
        Person(user_of(request)),
        folder,
        order=order,
        cursor=request.GET.get("after", ""),
        length=settings.FILES_PER_PAGE,
    )
    return listing(request, page, order)


def listing(
    request: HttpRequest, page: Page, order: Order, *, default: Order | None = None, q: str = ""
) -> dict[str, Any]:
    """A page of a list, with the addresses of the next one and the first, and of other orders."""
    kept = {"q": q} if q else {}
    if order != (default or Order()):
        kept["sort"] = str(order)
    trail, after = _trail_of(request), request.GET.get("after", "")
    return {
        "rows": page.rows,
        "records": page.records,
        "is_cut": page.is_cut,
        "left_out": page.left_out,
        "order": order,
        "orders": {by: _order_link(order, by) for by in ("name", "size", "time")},
        "next_url": _page(kept, page.next_cursor, [*trail, after]) if page.next_cursor else "",
        "previous_url": _page(kept, trail[-1], trail[:-1]) if after and trail else "",
        "first_url": _query(kept) if after else "",
        "here": request.get_full_path(),
        "may_share": may_share(request.user),
    }


def _trail_of(request: HttpRequest) -> list[str]:
    """The cursors of the pages before this one; that of the first is empty."""
    text = request.GET.get("before")
    return [] if text is None else text.split(BETWEEN)[-TRAIL:]


def _page(kept: dict[str, str], cursor: str, trail: list[str]) -> str:
    """The address of another page of a list, which knows the way back."""
    there = {"after": cursor, "before": BETWEEN.join(trail[-TRAIL:])} if trail else {}
    return _query({**kept, **there})


def _order_link(order: Order, by: str) -> dict[str, str]:
    """Where a click on a column's head leads, and how it is sorted now."""
    if order.by != by:
        # Of sizes and times people look for the largest and the newest first.
        return {"url": _query({"sort": by if by == "name" else f"-{by}"}), "now": ""}
    now = "descending" if order.down else "ascending"
    return {"url": _query({"sort": str(order.other_way)}), "now": now}


def _query(parameters: dict[str, str]) -> str:
    return "?" + urlencode(parameters)
