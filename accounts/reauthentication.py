"""Asking again who it is, before what cannot be undone or must not be overheard.

Any sign-in counts, whatever its door, and so does each confirmation, for as long as
`ACCOUNT_REAUTHENTICATION_TIMEOUT` says. allauth would put what was posted into the session,
passwords and keys included. Here a form that comes too late leads back to its page. Of the forms of
the administration what was typed is kept until then, without anything that may be a secret, and the
page offers to send it once more: nothing is done without that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import (
    get_authentication_records,
    record_authentication,
)
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.http import urlencode
from django.utils.translation import gettext

from accounts.models import User

P = ParamSpec("P")

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def note_sign_in(request: HttpRequest, user: User) -> None:
    """Let a sign-in, by whatever door, count as an authentication just made."""
    record_authentication(request, user, method="signed_in", reauthenticated=True)


def is_recent(request: HttpRequest) -> bool:
    """Whether the signed-in user was authenticated within the time-out.

    allauth's own answer is yes for whoever has nothing to confirm with.
    """
    if not request.user.is_authenticated:
        return False
    records = get_authentication_records(request, request.user)
    moments = [record["at"] for record in records if record.get("reauthenticated")]
    timeout: int = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return bool(moments) and time.time() - moments[-1] < timeout


def recently_authenticated(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let only those through who signed in, or confirmed that it is them, a short while ago.

    For views behind `login_required`. Others are sent to confirm and come back to this page; what
    they posted is not done, and not kept.
    """

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if is_recent(request):
            return view(request, *args, **kwargs)
        return ask(request, back_to=request.get_full_path())

    return checked


def ask(request: HttpRequest, *, back_to: str) -> HttpResponse:
    """Send the user to confirm who they are, and then to the page `back_to`; programs get 403."""
    if not request.accepts("text/html"):
        return HttpResponse(
            gettext("Confirm that it is you, in the browser, and try again.\n"),
            content_type="text/plain; charset=utf-8",
            status=403,
        )
    methods = get_adapter().get_reauthentication_methods(request.user)
    if not methods:
        raise PermissionDenied
    if request.method not in SAFE:
        messages.warning(
            request,
            gettext("Nothing was done yet: confirm that it is you, then send the form once more."),
        )
    query = urlencode({REDIRECT_FIELD_NAME: back_to})
    return HttpResponseRedirect(f"{methods[0]['url']}?{query}")


# --- What was typed into a form of the administration ------------------------------------------

_KEPT = "typed_before_confirmation"
_MOST_KEPT = 64 * 1024
"""Characters of one form that are kept at most; of a longer one nothing is."""

_MAY_BE_SECRET = re.compile(r"pass|secret|token|key|code|credential|csrf", re.IGNORECASE)


def keep(request: HttpRequest) -> None:
    """Keep what was typed into the form that was posted, until its page is shown again."""
    typed = [
        (name, value)
        for name, values in request.POST.lists()
        if not _MAY_BE_SECRET.search(name)
        for value in values
    ]
    if typed and sum(len(name) + len(value) for name, value in typed) <= _MOST_KEPT:
        request.session[_KEPT] = {"path": request.get_full_path(), "typed": typed}


def take_kept(request: HttpRequest) -> list[tuple[str, str]]:
    """What was typed on this page before the confirmation, once; empty where nothing was."""
    kept = request.session.get(_KEPT)
    if kept is None or kept["path"] != request.get_full_path():
        return []
    del request.session[_KEPT]
    return [(name, value) for name, value in kept["typed"]]
