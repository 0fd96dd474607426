"""The door of a link: what it takes, a password or a code by mail, and then what it leads to.

Never says a word of what is behind it before that was right.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import limits
from accounts.outside import Door, codes, guesses, passes
from audit.client_addresses import client_address
from files.models import Folder
from files.sharing.links import visiting as link_visiting
from files.web.outside.links.pages import file_page, folder_page
from files.web.outside.links.visits import PATH, Visit, WrongGuess, stamp_of, visiting


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password", "code")
@visiting
@sensitive_variables()
def door(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Who shares what until when; before that what it takes, where it takes something."""
    if not visit.is_through:
        return _ask(request, visit)
    if request.method == "POST":
        return redirect(visit.address)
    if request.method == "GET":
        link_visiting.note_opened(visit.standing, address=client_address(request))
    item = visit.standing.item
    if isinstance(item, Folder):
        return folder_page(request, visit, item)
    return file_page(request, visit, item)


@sensitive_variables()
def _ask(request: HttpRequest, visit: Visit) -> HttpResponse:
    link, post = visit.standing.link, request.POST
    between = _between(visit)
    knows_password = not link.password or (
        passes.of(request, between, stamp=stamp_of(visit.standing)) is not None
    )
    if not knows_password:
        if "password" in post:
            return _password(request, visit, between, post["password"])
        return _door_page(request, "password")
    if "code" in post:
        return _code(request, visit, post.get("address", ""), post["code"])
    if post.get("address"):
        return _send_code(request, visit, post["address"])
    return _door_page(request, "address")


def _between(visit: Visit) -> Door:
    """Between the password and the code, where it takes both."""
    own = visit.standing.door
    return Door("link-password", own.number, own.digest)


@sensitive_variables()
def _password(request: HttpRequest, visit: Visit, between: Door, text: str) -> HttpResponse:
    try:
        with guesses.counting(request, visit.standing.door.digest, WrongGuess):
            if not link_visiting.take_password(visit.standing, text):
                raise WrongGuess
    except WrongGuess:
        problem = gettext("That is not the password. Ask whoever sent you the link.")
        return _door_page(request, "password", problem=problem, status=403)
    except limits.LimitReached as reached:
        return _wait(request, "password", reached)
    response = redirect(visit.address)
    to = between if visit.standing.link.addresses else visit.standing.door
    passes.give(response, to, stamp=stamp_of(visit.standing), path=PATH)
    return response


def _send_code(request: HttpRequest, visit: Visit, address: str) -> HttpResponse:
    if not codes.is_address(address):
        problem = gettext("That is no mail address: write ann@example.org.")
        return _door_page(request, "address", problem=problem, status=400, address=address)
    address = address.strip()
    try:
        guesses.note_asked(request, visit.standing.door.digest, codes.normal(address))
    except limits.LimitReached as reached:
        return _wait(request, "address", reached, address=address)
    language = get_language() or settings.LANGUAGE_CODE
    link_visiting.send_code(visit.standing, address, language=language)
    return _door_page(request, "code", address=address)


@sensitive_variables()
def _code(request: HttpRequest, visit: Visit, address: str, code: str) -> HttpResponse:
    try:
        with guesses.counting(request, visit.standing.door.digest, codes.WrongCode):
            link_visiting.take_code(visit.standing, address, code)
    except codes.WrongCode:
        problem = gettext("That code is not taken. It may be mistyped or over: ask for another.")
        return _door_page(request, "code", address=address, problem=problem, status=403)
    except limits.LimitReached as reached:
        return _wait(request, "code", reached, address=address)
    response = redirect(visit.address)
    who = codes.normal(address)
    passes.give(response, visit.standing.door, stamp=stamp_of(visit.standing), path=PATH, who=who)
    return response


def _door_page(request: HttpRequest, asks: str, *, status: int = 200, **told: Any) -> HttpResponse:
    context = {"asks": asks, "minutes": int(codes.LASTS.total_seconds() // 60), **told}
    return render(request, "outside/link_door.html", context, status=status)


def _wait(
    request: HttpRequest, asks: str, reached: limits.LimitReached, **told: Any
) -> HttpResponse:
    response = _door_page(request, asks, status=429, problem=str(reached), **told)
    response["Retry-After"] = str(reached.wait)
    return response
