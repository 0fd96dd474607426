"""The lists: one's own files, what was shared with one, what one had to do with, the trash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from files.access.explaining import Access
from files.access.permissions import may_share
from files.access.principals import Person
from files.lists import contents, paging, recent, shared, trash
from files.lists.contents import Order
from files.lists.filters import EVERYTHING, MINE, SHARED, Filter
from files.lists.rows import Page, Row
from files.models import Folder
from files.tree import placing
from files.vault.quota import taken_by
from files.web import filtering
from files.web.filtering import FilterMenu
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
    keep = Filter.of(request.GET)
    if keep.whose == SHARED:
        return _other_list("shared", keep)
    # Made when something is first put into it.
    root = placing.root_if_made(user)
    # All that is in it is one's own, whoever added it.
    keep = replace(keep, whose="")
    context = contents_of(request, root, keep, filtering.OWN)
    if not context["first_url"]:
        context["newest_shared"] = _newest_shared(who, keep)
        context["taken"] = taken_by(user)
    context |= {"folder": root, "access": Access(is_owner=True, level="owner")}
    return render(request, "files/list.html", context)


@require_safe
@login_required
def shared_with_me(request: HttpRequest) -> HttpResponse:
    """Files and folders that others shared with one, by the time of the grant."""
    keep = Filter.of(request.GET)
    if keep.whose == MINE:
        return _other_list("files:list", keep)
    keep = replace(keep, whose="")
    return _by_time(request, shared.page_of, "files/shared.html", keep, filtering.GIVEN)


def _other_list(name: str, keep: Filter) -> HttpResponse:
    """What a filter asks for that is a list of its own."""
    parameters = replace(keep, whose="").parameters
    there = reverse(name)
    return redirect(f"{there}{_query(parameters)}" if parameters else there)


def _newest_shared(who: Person, keep: Filter) -> list[Row]:
    """What stands beside one's own files, while these are all shown."""
    return [] if keep.is_set else shared.page_of(who, length=NEWEST_SHARED).rows


@require_safe
@login_required
def recent_files(request: HttpRequest) -> HttpResponse:
    """Files that one added, opened or was given, by when that was."""
    keep = Filter.of(request.GET)
    return _by_time(request, recent.page_of, "files/recent.html", keep, filtering.OF_ALL)


@require_safe
@login_required
def trash_list(request: HttpRequest) -> HttpResponse:
    """What was put away and can be brought back, by when that was."""
    return _by_time(request, trash.page_of, "files/trash.html")


def _by_time(
    request: HttpRequest,
    page_of: Callable[..., Page],
    template: str,
    keep: Filter = EVERYTHING,
    whose: filtering.Choices = (),
) -> HttpResponse:
    order = Order.of(request.GET.get("sort", ""), allowed=BY_TIME) or Order("time", down=True)
    page = page_of(
        Person(user_of(request)),
        down=order.down,
        cursor=request.GET.get("after", ""),
        length=settings.FILES_PER_PAGE,
        **({"keep": keep} if whose else {}),
    )
    default = Order("time", down=True)
    context = listing(request, page, order, default=default, keep=keep, whose=whose)
    return render(request, template, {**context, "trash_days": settings.TRASH_TIME.days})


# --- What pages of lists have in common ---------------------------------------------------------


def query_of(request: HttpRequest) -> str:
    """What is searched for."""
    return request.GET.get("q", "").strip()[:200]


def search_page(request: HttpRequest, query: str, within: Folder | None = None) -> HttpResponse:
    """What the user may see whose name contains the words; of one folder and below, or of all."""
    keep = Filter.of(request.GET)
    page = paging.page_of(
        user_of(request),
        query=query,
        cursor=request.GET.get("after", ""),
        length=settings.FILES_PER_PAGE,
        within=within,
        keep=keep,
    )
    shown = listing(request, page, Order(), q=query, keep=keep, whose=filtering.OF_ALL)
    return render(request, "files/search.html", {"query": query, "folder": within, **shown})


def contents_of(
    request: HttpRequest, folder: Folder | None, keep: Filter, whose: filtering.Choices
) -> dict[str, Any]:
    """What a page shows of what is in a folder; of none, where there is none yet."""
    order = Order.of(request.GET.get("sort", "")) or Order()
    page = Page()
    if folder is not None:
        page = contents.page_of(
            Person(user_of(request)),
            folder,
            order=order,
            cursor=request.GET.get("after", ""),
            length=settings.FILES_PER_PAGE,
            keep=keep,
        )
    return listing(request, page, order, keep=keep, whose=whose)


def listing(
    request: HttpRequest,
    page: Page,
    order: Order,
    *,
    default: Order | None = None,
    q: str = "",
    keep: Filter = EVERYTHING,
    whose: filtering.Choices = (),
) -> dict[str, Any]:
    """A page of a list, with the addresses of the next one and the first, and of other orders.

    All of them keep the filter. `whose` are the choices of whose things it shows; without any,
    there is no filter.
    """
    sorted_by = {"sort": str(order)} if order != (default or Order()) else {}
    searched = {"q": q} if q else {}
    kept = {**searched, **sorted_by, **keep.parameters}
    trail, after = _trail_of(request), request.GET.get("after", "")
    return {
        "rows": page.rows,
        "records": page.records,
        "is_cut": page.is_cut,
        "left_out": page.left_out,
        "order": order,
        "filter": FilterMenu(keep, whose, {**searched, **sorted_by}) if whose else None,
        "orders": {by: _order_link(order, by, keep) for by in ("name", "size", "time")},
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


def _order_link(order: Order, by: str, keep: Filter) -> dict[str, str]:
    """Where a click on a column's head leads, and how it is sorted now."""
    if order.by != by:
        # Of sizes and times people look for the largest and the newest first.
        begins = by if by == "name" else f"-{by}"
        return {"url": _query({"sort": begins, **keep.parameters}), "now": ""}
    now = "descending" if order.down else "ascending"
    return {"url": _query({"sort": str(order.other_way), **keep.parameters}), "now": now}


def _query(parameters: dict[str, str]) -> str:
    return "?" + urlencode(parameters)
