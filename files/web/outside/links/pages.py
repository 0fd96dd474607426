"""What a link leads to: the pages of its file, of its folder and of what is below.

All is found by the one rule, as who comes by that link; never by an id alone.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from files.access.rule import folders_visible_to, visible_to
from files.errors import FileDamaged, NotAKey, WrongFileKey
from files.keys import custody
from files.lists import contents, places
from files.lists.contents import Order
from files.models import FileRecord, Folder
from files.vault import held
from files.web.outside import over
from files.web.outside.links.visits import Visit, through
from files.web.transfers import unlocking


def common_context(visit: Visit) -> dict[str, Any]:
    link = visit.standing.link
    return {
        "token": visit.token,
        "link": link,
        "by": link.maker.get_full_name() or link.maker.get_username(),
        "root": visit.standing.item,
    }


def file_page(
    request: HttpRequest, visit: Visit, record: FileRecord, *, status: int = 200, problem: str = ""
) -> HttpResponse:
    context = {**common_context(visit), "record": record, "problem": problem}
    if record.is_held:
        found = unlocking.unlocked(request, record)
        context["unlocked_until"] = found[1] if found else None
        context["has_passphrase"] = bool(custody.derivation_of(record.current))
    return render(request, "outside/link_file.html", context, status=status)


def folder_page(request: HttpRequest, visit: Visit, folder: Folder) -> HttpResponse:
    who = visit.standing.who
    order = Order.of(request.GET.get("sort", "")) or Order()
    after = request.GET.get("after", "")
    page = contents.page_of(who, folder, order=order, cursor=after, length=settings.FILES_PER_PAGE)
    context = {
        **common_context(visit),
        "folder": folder,
        "way": places.way_to(who, folder.pk)[:-1],
        "rows": page.rows,
        "next": page.next_cursor,
        "sort": str(order),
        "is_first": not after,
    }
    return render(request, "outside/link_folder.html", context)


@require_safe
@through
def folder(request: HttpRequest, visit: Visit, folder_id: str) -> HttpResponse:
    """What is in a folder below the link's."""
    folders = folders_visible_to(visit.standing.who).select_related("owner")
    found = folders.filter(pk=_id(folder_id)).first()
    return over(request) if found is None else folder_page(request, visit, found)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("key")
@through
@sensitive_variables()
def file(request: HttpRequest, visit: Visit, file_id: str) -> HttpResponseBase:
    """One file; POST: a locked one's key, which opens it in this browser for a while."""
    record = find_file(visit, file_id)
    if record is None:
        return over(request)
    if request.method != "POST" or not record.is_held:
        return file_page(request, visit, record)
    number = visit.standing.link.pk
    counted = {"file": f"outside {record.pk}", "user": f"link {number}"}
    try:
        with limits.KEY_ENTRY.counting(request, WrongFileKey, **counted):
            key = held.unlock(record, request.POST.get("key", ""), actor=None)
    except limits.LimitReached as reached:
        response = file_page(request, visit, record, status=429, problem=str(reached))
        response["Retry-After"] = str(reached.wait)
        return response
    except (NotAKey, WrongFileKey) as refused:
        status = 400 if isinstance(refused, NotAKey) else 403
        return file_page(request, visit, record, status=status, problem=str(refused))
    except FileDamaged:
        return damaged_page(request, visit, record)
    response = redirect("links:file_download", visit.token, record.pk)
    unlocking.unlock(response, request, record, key)
    return response


def find_file(visit: Visit, file_id: str) -> FileRecord | None:
    files = visible_to(visit.standing.who).select_related("owner", "current__held_key")
    return files.filter(pk=_id(file_id)).first()


def _id(text: str) -> uuid.UUID:
    """The id that a path has; of what is none, one that nothing has."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def damaged_page(request: HttpRequest, visit: Visit, record: FileRecord) -> HttpResponse:
    context = {**common_context(visit), "record": record}
    return render(request, "outside/link_damaged.html", context, status=502)
