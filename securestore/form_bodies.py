"""The bodies of requests that are forms: read whole and in time, before anything is done for them.

A form is small. So it is in memory before a session is looked up or a view is run, and a client
that sends it slowly holds nothing but a thread, and that not for long (`slowness`). What is cut off
or too slow is answered here, and no view ever sees half a form.

Uploads are streamed by their views, and only by them: nothing before a view reads their bodies.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.datastructures import MultiValueDict

from files.web.transfers.bodies import (
    SAFE_METHODS,
    declared_length,
    is_content,
    is_streamed,
    is_tus,
)
from runtime import slowness
from securestore import error_pages, errors

GetResponse = Callable[[HttpRequest], HttpResponseBase]

CROWD = 32
"""More forms than this that are waited for at once are an attack: each is given less time."""

IN_A_CROWD = 3.0
"""Seconds for a piece of a form then."""

WAIT = 5
"""Seconds after which somebody who was refused in a crowd may find room."""


class FormBodyMiddleware:
    """Must stand before whatever may read a body, or ask the database for anything.

    And after what refuses bodies by their headers.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_streamed(request):
            leave(request)
        elif request.method not in SAFE_METHODS and (refused := read(request)) is not None:
            return refused
        return self.get_response(request)


def leave(request: HttpRequest) -> None:
    """Leave the body to the view."""
    body = request.META.get("wsgi.input")
    if isinstance(body, slowness.Body):
        body.patience = float(settings.UPLOAD_PATIENCE)
    if is_tus(request.path_info) or is_content(request):
        # No body is a form here, whatever it calls itself: the check of the CSRF token would read
        # it for anybody, before it is known who sends it.
        request._post = QueryDict()  # type: ignore[attr-defined]
        request._files = MultiValueDict()  # type: ignore[attr-defined]


def read(request: HttpRequest) -> HttpResponse | None:
    """Read the body to its end; the answer to the client where that is not possible."""
    if not (length := declared_length(request)):
        return None
    crowd = slowness.WATCH.waiting()
    if crowd >= max(2 * CROWD, settings.THREADS // 2):
        response = errors.answer_safely(request, error_pages.CROWDED)
        response["Retry-After"] = str(WAIT)
        return response
    body = request.META.get("wsgi.input")
    if crowd >= CROWD and isinstance(body, slowness.Body):
        body.patience = min(body.patience, IN_A_CROWD)
    try:
        received = len(request.body)
    except UnreadablePostError:
        received = 0
    if received == length:
        return None
    # Of a client that has gone, the server tells by a body that is short, and nothing else.
    slow = slowness.slowness_of(request)
    return errors.answer_safely(
        request, error_pages.too_slow(str(slow)) if slow else error_pages.CUT_OFF
    )
