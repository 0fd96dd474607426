"""Where a person allows a program to have a token, and where the program fetches it.

Pages for people who are signed in, which work without scripts; and two addresses for programs,
which answer as OAuth 2.0 has it (RFC 6749, 5; RFC 8628, 3), look at no cookie and need no form's
token. Must never show or keep a token: it is in the one answer that a program fetches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts import lockouts, program_sign_in, reauthentication, tokens
from accounts.limits import Limit, LimitReached
from accounts.models import ProgramRequest, Token, User
from accounts.program_sign_in import Asked, Denied, NotOpen, Pending
from accounts.reauthentication import recently_authenticated
from audit.client_addresses import client_address

WAITING: Final = "program_request"
"""Where the session keeps the number of the request whose code was typed."""

BY_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
DAYS: Final = ("1", "30", "90", "365")
_HERE = re.compile(r"http://127\.0\.0\.1:[0-9]{2,5}/[A-Za-z0-9_/-]{0,100}", re.ASCII)
"""The browser's own machine, any port (RFC 8252, 7.3). A policy cannot name one of IPv6."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_STATE = re.compile(r"[!-~]{1,200}", re.ASCII)


class AllowForm(forms.Form):
    """What the token may do, and until when: what was asked for, or less."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"), widget=forms.CheckboxSelectMultiple
    )
    days = forms.ChoiceField(
        label=gettext_lazy("For"),
        choices=[
            ("1", gettext_lazy("a day")),
            ("30", gettext_lazy("30 days")),
            ("90", gettext_lazy("90 days")),
            ("365", gettext_lazy("a year")),
        ],
        initial="90",
    )

    def __init__(self, data: Any = None, *, asked: list[str]) -> None:
        super().__init__(data, initial={"scopes": asked})
        choices = [choice for choice in Token.Scope.choices if choice[0] in asked]
        cast("forms.MultipleChoiceField", self.fields["scopes"]).choices = choices

    def until(self) -> Any:
        """When the token ends."""
        return timezone.now() + timedelta(days=int(self.cleaned_data["days"]))


# --- By the browser of the program's own machine ------------------------------------------------


@dataclass(frozen=True)
class _Carried:
    """What the address that a program opened says."""

    asked: Asked
    redirect_uri: str
    state: str
    challenge: str

    @classmethod
    def of(cls, said: QueryDict) -> _Carried:
        """Raises BadRequest: nothing is sent to an address that may be anybody's."""
        try:
            asked = Asked.of(said.get("name", ""), said.get("scope", ""))
        except ValueError:
            raise BadRequest from None
        uri, state, challenge = (
            said.get(name, "") for name in ("redirect_uri", "state", "code_challenge")
        )
        sound = _HERE.fullmatch(uri) and _STATE.fullmatch(state) and _CHALLENGE.fullmatch(challenge)
        how = (said.get("response_type"), said.get("code_challenge_method"))
        if not sound or how != ("code", "S256"):
            raise BadRequest
        return cls(asked, uri, state, challenge)

    @property
    def origin(self) -> str:
        return self.redirect_uri[: self.redirect_uri.index("/", len("http://"))]

    def answer(self, **fields: str) -> HttpResponse:
        """Send the browser to the port where the program waits."""
        query = urlencode({**fields, "state": self.state})
        return HttpResponseRedirect(f"{self.redirect_uri}?{query}")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@recently_authenticated
@never_cache
@sensitive_variables()
def authorize(request: HttpRequest) -> HttpResponse:
    """The page that a program of this machine opened: allow it, or refuse."""
    carried = _Carried.of(request.GET)
    if "refuse" in request.POST:
        return carried.answer(error="access_denied")
    sent = request.POST if request.method == "POST" else None
    form = AllowForm(sent, asked=list(carried.asked.scopes))
    if form.is_valid():
        code = program_sign_in.allow_here(
            _user(request),
            Asked(carried.asked.name, tuple(form.cleaned_data["scopes"])),
            until=form.until(),
            challenge=carried.challenge,
            redirect_uri=carried.redirect_uri,
            address=client_address(request),
        )
        return carried.answer(code=code)
    context = {"form": form, "name": carried.asked.name, "address": client_address(request)}
    status = 400 if form.errors else 200
    response = render(request, "accounts/program_authorize.html", context, status=status)
    # The answer to the form leads there, and browsers hold that against the form's page.
    response._csp_update = {"form-action": [carried.origin]}  # type: ignore[attr-defined]
    return response


# --- By a code that is typed --------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def enter_code(request: HttpRequest) -> HttpResponse:
    """Type the code that a program says."""
    context: dict[str, Any] = {"wrong": False}
    if request.method == "POST":
        _take(request, program_sign_in.TYPING, user=_user(request).pk)
        try:
            found = program_sign_in.find(request.POST.get("code", "")[:40])
        except NotOpen:
            context["wrong"] = True
        else:
            request.session[WAITING] = found.pk
            return redirect("program_confirm")
    status = 400 if context["wrong"] else 200
    return render(request, "accounts/program_code.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
@sensitive_post_parameters("password")
@sensitive_variables()
def confirm(request: HttpRequest) -> HttpResponse:
    """Who asks, from where and for what. Allowed with the password, asked for each time."""
    try:
        found = program_sign_in.waiting(request.session.get(WAITING, 0))
        if "refuse" in request.POST:
            program_sign_in.refuse(found, _user(request))
            return _over(request, _("It was refused: the program has no token."))
        return _confirm(request, found)
    except NotOpen:
        request.session.pop(WAITING, None)
        messages.warning(request, _("That code is over. Begin again in the program."))
        return redirect("program_code")


def _confirm(request: HttpRequest, found: ProgramRequest) -> HttpResponse:
    user = _user(request)
    sent = request.POST if request.method == "POST" else None
    form = AllowForm(sent, asked=found.scopes.split())
    # Who signs in with a passkey alone has no password to be asked for.
    password = ReauthenticateForm(sent, user=user) if user.has_usable_password() else None
    if password is None and not reauthentication.is_recent(request):
        return reauthentication.ask(request, back_to=request.get_full_path())
    if form.is_valid() and (password is None or password.is_valid()):
        if password is not None:
            reauthenticate_by_password(request)
        program_sign_in.allow(found, user, scopes=form.cleaned_data["scopes"], until=form.until())
        return _over(request, _("The program may fetch its token now, and act in your place."))
    context = {"form": form, "password": password, "found": found}
    wrong = form.errors or (password is not None and password.errors)
    status = getattr(request, "locked_out_for", None) and 429
    return render(
        request, "accounts/program_confirm.html", context, status=status or (400 if wrong else 200)
    )


def _over(request: HttpRequest, words: str) -> HttpResponse:
    request.session.pop(WAITING, None)
    messages.success(request, words)
    return redirect("tokens")


# --- For programs -------------------------------------------------------------------------------


@csrf_exempt
@require_POST
@never_cache
@sensitive_variables()
def begin(request: HttpRequest) -> HttpResponse:
    """A program without a browser begins (RFC 8628, 3.2)."""
    _take(request, program_sign_in.BEGINNING)
    try:
        asked = Asked.of(request.POST.get("name", ""), request.POST.get("scope", ""))
    except ValueError:
        return _error("invalid_request", "Say a name, and scopes that there are.")
    begun = program_sign_in.begin(asked, client_address(request))
    return JsonResponse(
        {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": request.build_absolute_uri(reverse("program_code")),
            "expires_in": int(program_sign_in.TYPED.total_seconds()),
            "interval": program_sign_in.INTERVAL,
        }
    )


@csrf_exempt
@require_POST
@never_cache
@sensitive_post_parameters()
@sensitive_variables()
def token(request: HttpRequest) -> HttpResponse:
    """A program fetches its token (RFC 6749, 4.1.3; RFC 8628, 3.4)."""
    said = request.POST
    try:
        with program_sign_in.REDEEMING.counting(request, NotOpen):
            made = _fetched(said)
    except Pending as pending:
        return _error("slow_down" if pending.too_fast else "authorization_pending")
    except Denied:
        return _error("access_denied")
    except NotOpen:
        return _error("invalid_grant", "There is no such code, or it is over.")
    except ValidationError as refused:
        return _error("access_denied", " ".join(refused.messages))
    except ValueError:
        return _error("unsupported_grant_type")
    left = made.token.expires_at - timezone.now()
    return JsonResponse(
        {
            "access_token": made.text,
            "token_type": "Bearer",
            "expires_in": int(left.total_seconds()),
            "scope": made.token.scopes,
        }
    )


@sensitive_variables()
def _fetched(said: QueryDict) -> tokens.Made:
    kind = said.get("grant_type", "")
    if kind == "authorization_code":
        return program_sign_in.redeem(
            said.get("code", ""),
            verifier=said.get("code_verifier", ""),
            redirect_uri=said.get("redirect_uri", ""),
        )
    if kind == BY_CODE:
        return program_sign_in.collect(said.get("device_code", ""))
    raise ValueError(kind)


def _error(code: str, words: str = "") -> HttpResponse:
    told = {"error": code} | ({"error_description": words} if words else {})
    return JsonResponse(told, status=400)


def _take(request: HttpRequest, limit: Limit, **subjects: object) -> None:
    """Count an attempt. Raises LimitReached, having noted it: the site answers 429."""
    try:
        limit.take(request, **subjects)
    except LimitReached as reached:
        lockouts.note(request, limit.action, reached.wait, new=reached.is_new)
        raise


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)
