"""What every request of a signed-in person must satisfy, whatever page it asks for.

The order in `settings.MIDDLEWARE` is the order of the rules: the session still stands; a second
factor is there where one is required; what matters is confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.middleware import (
    AuthenticationMiddleware as DjangoAuthenticationMiddleware,
)
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext

from accounts import outside, preferences, reauthentication, session_activity, sessions, tokens
from accounts.limits import LimitReached
from accounts.models import User

GetResponse = Callable[[HttpRequest], HttpResponseBase]


API = "/api/"
"""Below it a token is the only way in, and a session none."""

UPLOADS = "/uploads/"
"""Where both are: browsers come with a session, programs with a token."""


class AuthenticationMiddleware(DjangoAuthenticationMiddleware):
    """As Django's, and the session must still stand: see `sessions.user_of`.

    As lazy as Django's, too: a page that asks for no user reads no session. Programs come with a
    token, at the doors that are theirs: `request.token` is it, and no cookie is looked at.
    """

    def process_request(self, request: HttpRequest) -> None:
        if outside.is_outside(request.path_info):
            # Who has an account is nobody there, as all others are.
            request.user = AnonymousUser()
            return
        by_session = not request.path_info.startswith(API)
        if request.path_info.startswith(UPLOADS):
            by_session = tokens.presented(request) is None
        if not by_session:
            _take_token(request)
            return
        super().process_request(request)
        session_activity.follow_body(request)
        request.user = SimpleLazyObject(partial(_user_of, request))  # type: ignore[assignment]

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        # Once more: an upload that took hours was no idle time.
        sessions.note_again(request)
        session_activity.follow_answer(request, response)
        return response


def _take_token(request: HttpRequest) -> None:
    """Let the request be that of the token's person, or nobody's. Never raises for a wrong one.

    A page of elsewhere can have a browser send no token: nothing needs one against forgery.
    """
    request.user = AnonymousUser()
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    text = tokens.presented(request)
    if text is None:
        return
    try:
        token = tokens.authenticate(request, text)
    except (tokens.Refused, LimitReached) as refused:
        request.token_refused = refused  # type: ignore[attr-defined]
        return
    request.user, request.token = token.user, token  # type: ignore[attr-defined]


def _user_of(request: HttpRequest) -> User | AnonymousUser:
    user = sessions.user_of(request)
    preferences.apply(user)
    return user


class LockOutMiddleware:
    """Gives an answer that a limit refused its status and `Retry-After`, forms included."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        wait = getattr(request, "locked_out_for", None)
        if wait is not None and response.status_code in {200, 429}:
            response.status_code = 429
            response["Retry-After"] = str(wait)
        return response


class SignedOutMiddleware:
    """Leads who was signed out meanwhile back to the page that they sent something from.

    What was sent is not done, and they are told. Most addresses that take a POST are no pages: to
    be led to one after signing in would be a dead end. Stands after the middleware of messages.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method in reauthentication.SAFE or response.status_code != 302:
            return response
        where, _, asked = response["Location"].partition("?")
        if where != reverse("account_login") or request.user.is_authenticated:
            return response
        if REDIRECT_FIELD_NAME in QueryDict(asked):
            if back := _sent_from(request):
                query = urlencode({REDIRECT_FIELD_NAME: back}, safe="/")
                response["Location"] = f"{where}?{query}"
            words = gettext("You had been signed out: nothing was done. Sign in, then do it again.")
            messages.warning(request, words)
        return response


def _sent_from(request: HttpRequest) -> str:
    """The page of this site on which the form stood, as the browser says; empty without a word."""
    page = request.headers.get("Referer", "")
    here = {request.get_host()}
    if not url_has_allowed_host_and_scheme(page, here, require_https=request.is_secure()):
        return ""
    parts = urlsplit(page)
    return urlunsplit(("", "", parts.path, parts.query, ""))


# Where people without a second factor may go: set-up, what it takes, and the way out.
WITHOUT_SECOND_FACTOR = frozenset(
    {
        "healthz",
        "readyz",
        "account_logout",
        "account_reauthenticate",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
    }
)


class SecondFactorMiddleware:
    """Lets nobody past set-up whom `REQUIRE_MFA` asks for a second factor and who has none."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        if not is_missing(request):
            return None
        request.second_factor_missing = True  # type: ignore[attr-defined]
        if name in WITHOUT_SECOND_FACTOR:
            return None
        by_program = name in {"uploads", "upload"} or request.path_info.startswith(API)
        if by_program or not request.accepts("text/html"):
            return HttpResponse(
                gettext("This site requires a second factor: set one up in the browser first.\n"),
                content_type="text/plain; charset=utf-8",
                status=403,
            )
        return redirect("mfa_index")


def is_missing(request: HttpRequest) -> bool:
    """Whether the signed-in user lacks a second factor that the site requires of them."""
    required = settings.REQUIRE_MFA
    if required == "off" or not request.user.is_authenticated:
        return False
    user = request.user
    if required == "staff" and not (user.is_staff or user.is_superuser):
        return False
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return not is_mfa_enabled(user, kinds)


# What the administration does without asking who it is: ending the session gives nobody a power.
UNASKED = frozenset({"admin:login", "admin:logout"})

# Pages of the administration that are there to be sent: asked before anything is typed.
SENDING = ("_add", "_delete", "_transfer", "password_change")


class ReauthenticationMiddleware:
    """Confirms who it is before anything is changed in the administration, and where allauth asks.

    Stands after allauth's own middleware, and so before it on the way out: that one would keep what
    was posted in the session, secrets included.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.namespaces != ["admin"] or not request.user.is_authenticated:
            return None
        if match.view_name in UNASKED:
            return None
        safe, recent = request.method in reauthentication.SAFE, reauthentication.is_recent(request)
        if not recent and (not safe or (match.url_name or "").endswith(SENDING)):
            if not safe:
                reauthentication.keep(request)
            return reauthentication.ask(request, back_to=request.get_full_path())
        if recent and request.method == "GET" and (typed := reauthentication.take_kept(request)):
            return render(request, "account/send_again.html", {"typed": typed})
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, ReauthenticationRequired):
            return None
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return reauthentication.ask(request, back_to=request.get_full_path())
