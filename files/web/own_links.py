"""The page of all links and requests that one made, wherever they lead: what lasts first, and its
end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from files.access.explaining import accesses_of
from files.access.principals import Person
from files.models import FileRequest, Folder, Item, Link
from files.sharing import requests
from files.sharing.links import ending, listing
from files.web.requested import ROW_NUMBER, user_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def own_links(request: HttpRequest) -> HttpResponse:
    """All links and requests that one made. What they lead to is named while one sees it."""
    if request.method == "POST":
        return _end(request)
    user = user_of(request)
    made = Paginator(listing.made_by(user), settings.GRANTS_PER_PAGE)
    asked = Paginator(requests.with_numbers(requests.made_by(user)), settings.GRANTS_PER_PAGE)
    shown = made.get_page(request.GET.get("page", ""))
    shown_requests = asked.get_page(request.GET.get("requests", ""))
    items = _led_to(shown, shown_requests)
    seen = accesses_of(Person(user), items)
    managed = {pk for pk, access in seen.items() if access.may_manage}
    context = {
        "page": shown,
        "pages": _pages(shown, "page"),
        "requests": shown_requests,
        "pages_of_requests": _pages(shown_requests, "requests"),
        "seen": seen,
        "awake": listing.awake_by(user, shown, managed),
        "open_folders": managed if requests.may_ask(user) else (),
        "managed": managed,
    }
    return render(request, "files/own_links.html", context)


def _pages(shown: Page[Any], name: str) -> dict[str, str]:
    """Where the pages before and after one are."""
    found = {}
    if shown.has_previous():
        found["previous_url"] = f"?{name}={shown.previous_page_number()}"
        found["first_url"] = f"?{name}=1"
    if shown.has_next():
        found["next_url"] = f"?{name}={shown.next_page_number()}"
    return found


def _led_to(made: Iterable[Link], asked: Iterable[FileRequest]) -> list[Item]:
    """What these lead to, each once."""
    targets: list[Item | None] = [one.target for one in made]
    folders: list[Folder] = [one.folder for one in asked]
    return list({one.pk: one for one in [*targets, *folders] if one is not None}.values())


def _end(request: HttpRequest) -> HttpResponse:
    """End one's own: of whoever made it, whatever became of their access since."""
    user = user_of(request)
    kind = next((kind for kind in ("end", "end_request") if kind in request.POST), "")
    number = request.POST.get(kind, "")
    if not ROW_NUMBER.fullmatch(number):
        raise Http404
    if kind == "end":
        ended = ending.end(get_object_or_404(listing.made_by(user), pk=int(number)), actor=user)
        told = _("The link is ended.") if ended else _("The link had been ended before.")
    else:
        one = get_object_or_404(requests.made_by(user), pk=int(number))
        ended = requests.end(one, actor=user)
        told = _("It has ended.") if ended else _("It had ended before.")
    messages.success(request, told)
    return redirect("own_links")
