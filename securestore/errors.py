"""The pages that say what went wrong. None of them may show a detail of the failure.

Not found and not yours are one answer: both raise `Http404`, and nothing of the exception reaches
the page. Clients that do not accept HTML get the same words as plain text.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.middleware import csrf
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from accounts import lockouts
from accounts.limits import CounterUnavailable, in_words
from audit import context
from files.crypto.errors import Damaged, KeyServiceError
from files.crypto.errors import TooBusy as NotDerived
from files.errors import KeyRetired, KeysMissing, TooBusy
from files.storage import StoreError
from files.web import access_requests
from files.web.transfers import bodies, tus
from files.web.transfers.refuse import NoFilesHere
from notices.sealing import KeyAway
from runtime import database_state
from runtime.caches import CacheUnavailable
from runtime.slots import TooBusy as NoSlot
from securestore import metrics

log = logging.getLogger(__name__)

TEMPLATE = "errors/error.html"
RETRY_AFTER = 5  # Seconds.
MOVE_TAKES = 60  # Seconds until it is worth while to ask again.
# Locked and unreachable databases are the first; a connection lost in mid-use is the second.
# Damage gets this far only from a write, and means that the store did not keep what it was given:
# what a read finds is `FileDamaged`.
Outage = (
    OperationalError
    | InterfaceError
    | StoreError
    | KeyServiceError
    | KeysMissing
    | KeyRetired
    | TooBusy
    | NoSlot
    | NotDerived
    | KeyAway
    | Damaged
    | CacheUnavailable
    | CounterUnavailable
    | database_state.NotInService
)
# What PostgreSQL says of a server or a transaction that takes no writes, and of one that it has
# ended because nothing came for too long (Appendix A, class 25). The rest of the class are faults.
_OUTAGES_OF_CLASS_25 = frozenset({"25006", "25P03", "25P04"})


# How Django's reasons begin where Origin or Referer are not this site's.
_ELSEWHERE = ("Origin checking failed", "Referer checking failed")


@dataclass(frozen=True)
class Page:
    """One error, in the words that people read."""

    status: int
    title: str | Promise
    text: str | Promise


BAD_REQUEST = Page(
    400,
    gettext_lazy("That request could not be understood"),
    gettext_lazy("Go back, reload the page and try again."),
)
UNKNOWN_HOST = Page(
    400,
    gettext_lazy("This site has another name"),
    gettext_lazy(
        "It does not answer under the name in this address. Use the address that you "
        "were given; who runs the site names it in ALLOWED_HOSTS."
    ),
)
TOO_MANY_FIELDS = Page(
    400,
    gettext_lazy("That is more than a form may have"),
    gettext_lazy(
        "Nothing was changed. A form, or an address, may have {most} fields, and this "
        "one has more. Go back, choose fewer at a time and try again."
    ),
)
NO_FILES = Page(
    400,
    gettext_lazy("This page takes no files"),
    gettext_lazy(
        "Nothing was stored. Files are uploaded on the page Upload, or by tus to /uploads/."
    ),
)
UNREADABLE_FORM = Page(
    400,
    gettext_lazy("The form could not be read"),
    gettext_lazy(
        "Nothing was changed. It says that it is multipart/form-data (RFC 7578), and "
        "is not: its boundary is missing, or its parts are. Go back, reload the page "
        "and try again."
    ),
)
NOT_ALLOWED = Page(
    405,
    gettext_lazy("That cannot be done at this address"),
    gettext_lazy("Nothing was done. {method} is not taken here, but {allowed}."),
)
PERMISSION_DENIED = Page(
    403,
    gettext_lazy("You may not do that"),
    gettext_lazy("If you need to, ask an administrator for the permission."),
)
CSRF = Page(
    403,
    gettext_lazy("The page was open for too long"),
    gettext_lazy(
        "Nothing was changed. Go back, reload the page and try again. If that does not "
        "help, allow this site to set cookies."
    ),
)
NO_FORM = Page(
    403,
    gettext_lazy("The request was empty"),
    gettext_lazy(
        "Nothing was changed. The form of this page, with the token in it, did not "
        "arrive. Go back, reload the page and try again."
    ),
)
NO_COOKIE = Page(
    403,
    gettext_lazy("The cookie of this site did not come along"),
    gettext_lazy(
        "Nothing was changed. Allow this site to set cookies, go back, reload the page "
        "and try again."
    ),
)
FOREIGN_FORM = Page(
    403,
    gettext_lazy("That form is not of this site"),
    gettext_lazy(
        "Nothing was changed. The page that it was sent from has another address than "
        "this one. Open this site by its own address and try again. If that is what "
        "you did, tell an administrator: the proxy before the site may not tell it its "
        "address."
    ),
)
NO_TOKEN_IN_FORM = Page(
    403,
    gettext_lazy("The form came without its token"),
    gettext_lazy(
        "Nothing was changed. Go back, reload the page and send the form from there. "
        "Programs send the token of a page's form along, as csrfmiddlewaretoken or in "
        "the header X-CSRFToken."
    ),
)
NO_TOKEN = Page(
    403,
    gettext_lazy("The token is missing"),
    gettext_lazy(
        "Nothing was changed. Send the token of a page's form as X-CSRFToken, with the "
        "cookies that came with it."
    ),
)
NOT_FOUND = Page(
    404,
    gettext_lazy("Not found"),
    gettext_lazy(
        "There is nothing at this address, or it was not shared with you. Sharing may "
        "have ended: ask the person who shared it."
    ),
)
TOO_MANY = Page(
    429,
    gettext_lazy("Too many attempts"),
    gettext_lazy("Nothing was done. Try again in {wait}."),
)
CUT_OFF = Page(
    400,
    gettext_lazy("The request was cut off"),
    gettext_lazy("It ended before it was complete. Nothing was changed. Go back and try again."),
)
CROWDED = Page(
    503,
    gettext_lazy("Too many requests at once"),
    gettext_lazy(
        "The server waits for too many others to finish sending. Nothing was changed. "
        "Wait a few seconds, then try again."
    ),
)
SERVER_ERROR = Page(
    500,
    gettext_lazy("Something went wrong"),
    gettext_lazy(
        "The failure has been recorded. Try again; if it happens again, tell an administrator."
    ),
)
UNAVAILABLE = Page(
    503,
    gettext_lazy("Not available at the moment"),
    gettext_lazy(
        "The service is busy or a part of it cannot be reached. Nothing was stored. "
        "Wait a few seconds, then try again."
    ),
)
NOT_IN_SERVICE = Page(
    503,
    gettext_lazy("The vault is being moved"),
    gettext_lazy(
        "Nothing was changed. Files that are here stay, and what was uploaded in part "
        "can be gone on with. Try again later; if this lasts, ask an administrator."
    ),
)
TOO_BUSY = Page(
    503,
    gettext_lazy("Too busy at the moment"),
    gettext_lazy(
        "Too many passwords are being checked at once, so yours was not: nothing was "
        "done, and nothing counts against you. Wait a few seconds, then try again."
    ),
)
INTERRUPTED = replace(
    UNAVAILABLE,
    text=gettext_lazy(
        "The service is busy or a part of it cannot be reached. Nothing was stored as "
        "a file; what is safe of this upload stays safe. Wait a few seconds and try "
        "again: ask with HEAD where it stands, and go on from there."
    ),
)


def too_slow(reason: str) -> Page:
    """What was sent came too slowly to be waited for."""
    return Page(
        408,
        gettext("That took too long to arrive"),
        gettext(
            "%(reason)s Nothing was changed. Go back and try again, on a faster line if "
            "there is one."
        )
        % {"reason": reason},
    )


def too_many_transfers(number: int, *, is_own: bool) -> Page:
    """No transfer more may run at once: of this person, or of anybody."""
    if is_own:
        return Page(
            429,
            gettext("Too many transfers at once"),
            gettext(
                "%(number)s of your uploads and downloads are running, which is as many as one "
                "person may have at once. Nothing was changed. Wait until one of them has "
                "ended, then try again."
            )
            % {"number": number},
        )
    return Page(
        503,
        gettext("All places for transfers are taken"),
        gettext(
            "%(number)s uploads and downloads are running, which is as many as the server "
            "takes at once. Nothing was changed. Wait a few seconds, then try again."
        )
        % {"number": number},
    )


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
            return UNKNOWN_HOST
        case TooManyFieldsSent():
            most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
            return replace(TOO_MANY_FIELDS, text=str(TOO_MANY_FIELDS.text).format(most=most))
        case NoFilesHere() | TooManyFilesSent():
            return NO_FILES
        case MultiPartParserError():
            return UNREADABLE_FORM
    return BAD_REQUEST


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
    return answer(request, PERMISSION_DENIED)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 for a request without its token, by whom and how it was made."""
    if bodies.is_tus(request.path_info):
        response = _respond(NO_TOKEN, None)
        response["Tus-Resumable"] = tus.VERSION
        return response
    return answer(request, _words_for_token(request, reason))


def _words_for_token(request: HttpRequest, reason: str) -> Page:
    if not bodies.declared_length(request):
        return NO_FORM
    if reason == csrf.REASON_NO_CSRF_COOKIE:
        return NO_COOKIE
    if reason == csrf.REASON_CSRF_TOKEN_MISSING:
        return NO_TOKEN_IN_FORM
    if reason.startswith(_ELSEWHERE):
        return FOREIGN_FORM
    return CSRF


def not_allowed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Put words into a 405, which Django leaves empty."""
    is_tus = bodies.is_tus(request.path_info)
    method = tus.method_of(request) if is_tus else request.method
    text = str(NOT_ALLOWED.text).format(method=method, allowed=response["Allow"])
    page = replace(NOT_ALLOWED, text=text)
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
    return answer(request, NOT_FOUND, ask=access_requests.address_to_ask(request))


def closed(request: HttpRequest) -> HttpResponse:
    """A path that a library opens and this site keeps shut."""
    return answer(request, NOT_FOUND)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Answer 429 for one of allauth's limits."""
    return too_many(request, lockouts.wait_of(request))


def too_many(request: HttpRequest, wait: int) -> HttpResponse:
    """Answer 429: no attempt is left for `wait` seconds."""
    page = replace(TOO_MANY, text=str(TOO_MANY.text).format(wait=in_words(wait)))
    response = answer(request, page)
    response["Retry-After"] = str(wait)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 for an outage. Django calls it while it handles the exception."""
    outage = outage_behind(sys.exception())
    return unavailable(request, outage) if outage else answer_safely(request, SERVER_ERROR)


def unavailable(request: HttpRequest, outage: Outage) -> HttpResponse:
    """Answer 503 and log the outage, by its kind and its own first line."""
    reason = (str(outage).splitlines() or [""])[0]
    log.error("unavailable: %s: %s", type(outage).__name__, reason)
    metrics.note_failure(type(outage).__name__)
    page, wait = UNAVAILABLE, RETRY_AFTER
    if isinstance(outage, TooBusy | NoSlot | NotDerived):
        page = TOO_BUSY
    elif isinstance(outage, database_state.NotInService):
        page, wait = NOT_IN_SERVICE, MOVE_TAKES
    if bodies.is_tus(request.path_info):
        # A program that uploads: words for whoever runs it, and never a page.
        is_known = bool(request.resolver_match and request.resolver_match.kwargs)
        response = _respond(INTERRUPTED if is_known and page is not NOT_IN_SERVICE else page, None)
        response["Tus-Resumable"] = tus.VERSION
    else:
        response = answer_safely(request, page)
    response["Retry-After"] = str(wait)
    return response


def outage_behind(error: BaseException | None) -> Outage | None:
    """The outage that an exception is, or that it came from, if any."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, DatabaseError) and database_state.behind(error):
            # Closed since this process has last looked.
            return database_state.NotInService(database_state.REFUSAL)
        if isinstance(error, Outage):
            return error
        if isinstance(error, InternalError) and _state_of(error) in _OUTAGES_OF_CLASS_25:
            return OperationalError(*error.args)
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def _state_of(error: InternalError) -> str | None:
    """SQLSTATE, where the database's library told one."""
    return getattr(error.__cause__, "sqlstate", None)


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
