"""Pages of one's own account that allauth does not have, or has for fewer cases.

The address of `invitation_link` holds a secret, so it answers with nothing but a redirect: no page
is shown there, and none is left from there.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import cast

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import get_language_from_request, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import invitations, lockouts, profiles, sessions
from accounts.forms import AcceptForm, ProfileForm
from accounts.limits import Limit, LimitReached
from accounts.models import Token, User
from notices import choosing

_ROW_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


SESSIONS_SHOWN = 5
"""Sessions on the page of the account; all of them are on a page of their own."""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def own_account(request: HttpRequest) -> HttpResponse:
    """All of one's own account on one page; the profile is changed here."""
    user = cast("User", request.user)
    initial = {"full_name": user.get_full_name()}
    initial |= {"language": user.language, "time_zone": user.time_zone}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        profiles.change(user, **form.cleaned_data)
        with translation.override(user.language or get_language_from_request(request)):
            messages.success(request, _("Your profile was saved."))
        return redirect("account")
    rows = sessions.of(user)
    context = {
        "form": form,
        "sessions": rows[:SESSIONS_SHOWN],
        "more_sessions": max(len(rows) - SESSIONS_SHOWN, 0),
        "current": sessions.current(request),
        "addresses": EmailAddress.objects.filter(user=user).order_by("-primary", "email"),
        "tokens": Token.objects.live().filter(user=user).select_related("made_by"),
        "notices": choosing.table_of(user.pk, administrator=user.is_superuser),
        "factors": Authenticator.objects.filter(user=user).exclude(type="recovery_codes").count(),
    }
    return render(request, "accounts/account.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def own_sessions(request: HttpRequest) -> HttpResponse:
    """Where one is signed in; end one of these sessions, or all others."""
    user = cast("User", request.user)
    if request.method != "POST":
        context = {"sessions": sessions.of(user), "current": sessions.current(request)}
        return render(request, "usersessions/usersession_list.html", context)
    chosen = request.POST.get("end", "others")
    if chosen == "others":
        count = sessions.revoke_others(request, user)
        messages.success(
            request,
            ngettext("%(n)s session was ended.", "%(n)s sessions were ended.", count)
            % {"n": count},
        )
    elif not _ROW_NUMBER.fullmatch(chosen) or not sessions.revoke(user, int(chosen)):
        raise Http404
    else:
        messages.success(request, _("The session was ended."))
    return redirect("usersessions_list")


# --- Invitations -------------------------------------------------------------------------------

_INVITATION = "invitation"
"""Where the session keeps which invitation was opened: the hash of its token, as the database."""


@require_safe
def invitation_link(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the mail: note which invitation it is for, and go to the page without a secret.

    It uses nothing up: programs that look through mail follow links, too.
    """
    with suppress(LimitReached):
        _take(request, invitations.OPENING)
        request.session[_INVITATION] = invitations.hash_of(token)
    response = redirect("invitation")
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password1", "password2")
def invitation(request: HttpRequest) -> HttpResponse:
    """Make the account that the opened invitation is for."""
    token_hash = request.session.get(_INVITATION, "")
    try:
        found = invitations.find(token_hash)
    except invitations.NotOpen:
        return render(request, "accounts/invitation_over.html", status=410)
    if request.user.is_authenticated:
        return render(request, "accounts/invitation_signed_in.html", {"invitation": found})
    form = AcceptForm(request.POST if request.method == "POST" else None, email=found.email)
    if request.method == "POST":
        _take(request, invitations.ACCEPTING)
        if form.is_valid() and _accepted(request, form, token_hash):
            return redirect("files:list")
    context = {"form": form, "invitation": found}
    return render(request, "accounts/invitation.html", context, status=400 if form.errors else 200)


def _take(request: HttpRequest, limit: Limit) -> None:
    """Count an attempt. Raises LimitReached, having noted it: the site answers 429."""
    try:
        limit.take(request)
    except LimitReached as reached:
        lockouts.note(request, limit.action, reached.wait, new=reached.is_new)
        raise


def _accepted(request: HttpRequest, form: AcceptForm, token_hash: str) -> bool:
    given = form.cleaned_data
    try:
        user = invitations.accept(
            token_hash, username=given["username"], password=given["password1"]
        )
    except ValidationError as refused:
        form.refuse(refused)
        return False
    except invitations.NotOpen:  # Accepted or revoked while the page was open.
        form.add_error(None, _("This invitation was used or taken back meanwhile."))
        return False
    request.session.pop(_INVITATION, None)
    login(request, user, backend="accounts.backends.PasswordBackend")
    messages.success(request, _("Your account is ready."))
    return True
