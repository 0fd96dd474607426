"""Who answers with which of the pages that say what went wrong (`securestore.error_pages`).

None of them may show a detail of the failure.
Not found and not yours are one answer: both raise `Http404`, and nothing of the exception reaches
the page. Clients that do not accept HTML get the same words as plain text.
"""

from __future__ import annotations

import logging
import sys

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.middleware import csrf
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from accounts import lockouts
from accounts.limits import in_words
from audit import context
from files.web import access_requests
from files.web.transfers import bodies
from files.web.transfers.refuse import NoFilesHere
from files.web.transfers.tus import protocol as tus
from runtime import database_state
from securestore import error_pages, metrics
from securestore.error_pages import Page
from securestore.outages import Crowd, Outage, outage_behind

log = logging.getLogger(__name__)

TEMPLATE = "errors/error.html"
RETRY_AFTER = 5  # Seconds.
MOVE_TAKES = 60  # Seconds until it is worth while to ask again.
# How Django's reasons begin where Origin or Referer are not this site's.
_ELSEWHERE = ("Origin checking failed", "Referer checking failed")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400, or 503 where an outage is behind it.

    Django takes a session that could not be saved for one that was deleted, which is a bad
    request: also when the database was locked.
    """
    if outage := outage_behind(exception):
        return unavailable(request, outage)
    if isinstance(exception, RequestDataTooBig):
        exception = bodies.too_large()
    if isinstance(exception, bodies.Refused):
        return refused(request, exception)
    return answer(request, _words_for(exception))


def _words_for(exception: Exception | None) -> Page:
    """What was wrong, where that was understood."""
    match exception:
        case DisallowedHost():
            return error_pages.UNKNOWN_HOST
        case TooManyFieldsSent():
            return error_pages.too_many_fields(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS)
        case NoFilesHere() | TooManyFilesSent():
            return error_pages.NO_FILES
        case MultiPartParserError():
            return error_pages.UNREADABLE_FORM
    return error_pages.BAD_REQUEST


def refused(request: HttpRequest, refusal: bodies.Refused) -> HttpResponse:
    """Answer a request whose body is not taken, in words; needs no session, and reads no body."""
    page = Page(refusal.status, refusal.title, refusal.text)
    # Clients of resumable uploads are programs, whatever they say that they accept.
    of_program = bodies.is_tus(request.path_info)
    response = _respond(page, None) if of_program else answer_safely(request, page)
    if of_program:
        response["Tus-Resumable"] = tus.VERSION
        response["Cache-Control"] = "no-store"
    for name, value in refusal.headers.items():
        response[name] = value
    return response


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, error_pages.PERMISSION_DENIED)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 for a request without its token, by whom and how it was made."""
    if bodies.is_tus(request.path_info):
        response = _respond(error_pages.NO_TOKEN, None)
        response["Tus-Resumable"] = tus.VERSION
        return response
    return answer(request, _words_for_token(request, reason))


def _words_for_token(request: HttpRequest, reason: str) -> Page:
    if not bodies.declared_length(request):
        return error_pages.NO_FORM
    if reason == csrf.REASON_NO_CSRF_COOKIE:
        return error_pages.NO_COOKIE
    if reason == csrf.REASON_CSRF_TOKEN_MISSING:
        return error_pages.NO_TOKEN_IN_FORM
    if reason.startswith(_ELSEWHERE):
        return error_pages.FOREIGN_FORM
    return error_pages.CSRF


def not_allowed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Put words into a 405, which Django leaves empty."""
    is_tus = bodies.is_tus(request.path_info)
    method = tus.method_of(request) if is_tus else request.method
    page = error_pages.not_allowed(str(method), response["Allow"])
    # Of nobody in particular, and the same wherever it is: an address may be one that is not there.
    by_program = is_tus or not request.accepts("text/html")
    told = _respond(page, None if by_program else render_to_string(TEMPLATE, {"page": page}))
    response.content = told.content
    response["Content-Type"] = told["Content-Type"]
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(told.content))
    patch_vary_headers(response, ["Accept"])
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, error_pages.NOT_FOUND, ask=access_requests.address_to_ask(request))


def closed(request: HttpRequest) -> HttpResponse:
    """A path that a library opens and this site keeps shut."""
    return answer(request, error_pages.NOT_FOUND)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Answer 429 for one of allauth's limits."""
    return too_many(request, lockouts.wait_of(request))


def too_many(request: HttpRequest, wait: int) -> HttpResponse:
    """Answer 429: no attempt is left for `wait` seconds."""
    response = answer(request, error_pages.too_many_attempts(in_words(wait)))
    response["Retry-After"] = str(wait)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 for an outage. Django calls it while it handles the exception."""
    if outage := outage_behind(sys.exception()):
        return unavailable(request, outage)
    return answer_safely(request, error_pages.SERVER_ERROR)


def unavailable(request: HttpRequest, outage: Outage) -> HttpResponse:
    """Answer 503 and log the outage, by its kind and its own first line."""
    reason = (str(outage).splitlines() or [""])[0]
    log.error("unavailable: %s: %s", type(outage).__name__, reason)
    metrics.note_failure(type(outage).__name__)
    page, wait = error_pages.UNAVAILABLE, RETRY_AFTER
    if isinstance(outage, Crowd):
        page = error_pages.TOO_BUSY
    elif isinstance(outage, database_state.NotInService):
        page, wait = error_pages.NOT_IN_SERVICE, MOVE_TAKES
    if bodies.is_tus(request.path_info):
        # A program that uploads: words for whoever runs it, and never a page.
        is_known = bool(request.resolver_match and request.resolver_match.kwargs)
        if is_known and page is not error_pages.NOT_IN_SERVICE:
            page = error_pages.INTERRUPTED
        response = _respond(page, None)
        response["Tus-Resumable"] = tus.VERSION
    else:
        response = answer_safely(request, page)
    response["Retry-After"] = str(wait)
    return response


def answer(request: HttpRequest, page: Page, *, ask: str = "") -> HttpResponse:
    """The page as HTML, with the site's navigation for whoever is signed in, or as text.

    `ask` is where they may ask for access to what they did not find.
    """
    if not request.accepts("text/html"):
        return _respond(page, None)
    return _respond(page, render_to_string(TEMPLATE, {"page": page, "ask": ask}, request))


def answer_safely(request: HttpRequest, page: Page, *, plain: bool = False) -> HttpResponse:
    """As `answer`, but needs no database, no session and, at worst, no template.

    With `plain` it is text, whatever the client accepts.
    """
    html = None
    if not plain and request.accepts("text/html"):
        try:
            # Without the request there are no context processors, hence no queries.
            html = render_to_string(TEMPLATE, {"page": page, "request_id": context.request_id()})
        except Exception:
            log.exception("the error page itself cannot be rendered")
    return _respond(page, html)


def _respond(page: Page, html: str | None) -> HttpResponse:
    """The page as rendered, or its words alone."""
    if html is None:
        response = HttpResponse(
            f"{page.title}. {page.text}\n",
            content_type="text/plain; charset=utf-8",
            status=page.status,
        )
    else:
        response = HttpResponse(html, status=page.status)
    patch_vary_headers(response, ["Accept"])
    response.page = page  # type: ignore[attr-defined]
    return response
