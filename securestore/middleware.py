"""What every answer of the site has in common: its headers, and what it says in an outage."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from accounts.limits import LimitReached
from accounts.outside import is_outside
from files.web.api import problems
from files.web.transfers import bodies, raw_path
from runtime import database_state
from securestore import errors, outages
from securestore.error_pages import Page

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

GetResponse = Callable[[HttpRequest], HttpResponseBase]

RAW_PATH = raw_path.RAW
"""Loaded before the first request is made of what the server hands over."""

# Features of the browser that no page needs. Copying a key and passkeys are ours to use.
REFUSED_FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "storage-access",
    "sync-xhr",
    "usb",
    "window-management",
    "xr-spatial-tracking",
)
OWN_FEATURES = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
PERMISSIONS_POLICY = ", ".join(
    [f"{feature}=()" for feature in REFUSED_FEATURES]
    + [f"{feature}=(self)" for feature in OWN_FEATURES]
)
WITH_FULLSCREEN = PERMISSIONS_POLICY.replace("fullscreen=()", "fullscreen=(self)")
"""For the viewer, which plays films: the page itself, not the frame in it."""
VIEWERS = frozenset({"files:view", "files:version_view"})


# What an answer says unless something further in has said it. The middlewares of Django and
# django-csp say the same for pages; these are for what never gets to them: redirects to HTTPS, a
# host that is not ours, static files.
DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
INERT_POLICY = "default-src 'none'; frame-ancestors 'none'"


class SecurityHeadersMiddleware:
    """The headers of every answer, whoever made it. A view's own `Cache-Control` stays.

    Must stand outside of every middleware that answers by itself, Django's own among them.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        match = getattr(request, "resolver_match", None)
        plays = match is not None and match.view_name in VIEWERS
        response["Permissions-Policy"] = WITH_FULLSCREEN if plays else PERMISSIONS_POLICY
        if is_outside(request.path_info):
            # The path is the secret: no other page, and no log of one, is told of it.
            response["Referrer-Policy"] = "no-referrer"
            response["X-Robots-Tag"] = "noindex, nofollow"
        for name, value in DEFAULTS.items():
            response.headers.setdefault(name, value)
        if not settings.DEBUG:  # Django's debug pages bring their own styles, and no header.
            response.headers.setdefault("Content-Security-Policy", INERT_POLICY)
        return response


class ProblemMiddleware:
    """Gives programs a problem (RFC 9457) for whatever refuses a request of the API.

    Pages of errors come from many places, and before any operation; the API has one form.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(bodies.API) or response.status_code < 400:
            return response
        if response.headers.get("Content-Type") == problems.CONTENT_TYPE:
            return response
        answered = _as_problem(request, response).response()
        answered.status_code = response.status_code
        for name, value in response.items():
            if name not in {"Content-Type", "Content-Length"}:
                answered[name] = value
        response.close()
        return answered


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> problems.Problem:
    page: Page | None = getattr(response, "page", None)
    if code := getattr(response, "problem", None):
        return problems.Problem(code, str(page.text) if page else "")
    if getattr(request, "second_factor_missing", False):
        return problems.Problem("second_factor_missing")
    return problems.of_status(response.status_code, str(page.text) if page else "")


class BodyMiddleware:
    """Refuses bodies that this site would take for something else than they are (`bodies.check`).

    Must stand outside of everything that reads a body: the check of a CSRF token does.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            bodies.check(request)
        except bodies.Refused as refused:
            return errors.refused(request, refused)
        return self.get_response(request)


class ServiceMiddleware:
    """Answers 503 while the database is not in service (`runtime.database_state`).

    One that is closed serves pages that change nothing; those that do, though they are asked for by
    GET, the database refuses. One that was moved, or is not complete, serves none.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info in PROBES:
            return self.get_response(request)
        state = database_state.current()
        if state is None or (state.readable and request.method in SAFE):
            return self.get_response(request)
        return errors.unavailable(request, database_state.NotInService(state.words))


class MethodMiddleware:
    """Says in words which methods an address takes, where another was sent."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return errors.not_allowed(request, response)
        return response


class UnavailableMiddleware:
    """Answers 503 when a view finds the database or the object store out of reach.

    And 429 where a limit on attempts was reached that the view has no form to say it in.

    Django turns an exception into a response between any two middlewares, so no middleware sees
    what failed in another (a session that cannot be saved, say). Those outages arrive in
    `errors.server_error` and `errors.bad_request`, which give this same answer.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, LimitReached):
            return errors.too_many(request, exception.wait)
        outage = outages.outage_behind(exception)
        return errors.unavailable(request, outage) if outage else None
