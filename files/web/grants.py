"""The page of who may read a file: share it, and revoke."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import User
from files.access import Access, Person, access_of, managed_by, may_share
from files.models import FileRecord, Grant
from files.sharing import granting
from files.sharing.recipients import describe
from files.web.forms import ShareForm
from files.web.requested import ROW_NUMBER, managed, user_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def grants(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Who may read a file; share it, and revoke."""
    record = managed(request, file_id)
    user = user_of(request)
    if not may_share(user):
        return render(request, "files/may_not_share.html", {"record": record}, status=403)
    access = access_of(Person(user), record)
    if access is None:  # Revoked between the two queries.
        raise Http404
    if "revoke" in request.POST:
        return _revoke(request, record, access)
    form = ShareForm(request.POST if request.method == "POST" else None, own_end=access.until)
    if form.is_valid() and (made := _share(form, record, user)):
        _tell_shared(request, made, form)
        return redirect("files:grants", record.pk)
    return _grants_page(request, record, access, form, status=400 if form.errors else 200)


def _grants_page(
    request: HttpRequest, record: FileRecord, access: Access, form: ShareForm, *, status: int
) -> HttpResponse:
    shown = record.grants.select_related("user", "group", "granted_by")
    page = Paginator(shown, settings.GRANTS_PER_PAGE).get_page(request.GET.get("page"))
    revocable = {
        grant.pk
        for grant in page
        if grant.status in {"live", "scheduled"}
        and granting.may_withdraw(grant, access, actor=user_of(request))
    }
    context = {"record": record, "access": access, "form": form, "grants": page}
    context |= _what_is_left(request, record, access)
    return render(request, "files/grants.html", {**context, "revocable": revocable}, status=status)


def _what_is_left(request: HttpRequest, record: FileRecord, access: Access) -> dict[str, Any]:
    """By what else somebody reads the file, whose grant the address says was revoked just now."""
    number = request.GET.get("ended", "")
    if request.method == "POST" or not ROW_NUMBER.fullmatch(number):
        return {}
    revoked = record.grants.filter(pk=int(number), revoked_at__isnull=False)
    ended = revoked.select_related("user", "group").first()
    if ended is None:
        return {}
    left = granting.remaining(record, ended.user, ended.group)
    user = user_of(request)
    may_end = {one.pk for one in left if granting.may_withdraw(one, access, actor=user)}
    return {"ended": ended, "left": left, "may_end": may_end}


def _tell_shared(request: HttpRequest, made: Grant, form: ShareForm) -> None:
    recipient, wanted = describe(form.cleaned_data["recipient"]), form.cleaned_data["expires_at"]
    if made.expires_at == wanted:
        messages.success(request, f"Shared with {recipient}.")
        return
    messages.warning(
        request,
        f"{recipient} has that already, for longer: revoke that grant first to make it end sooner.",
    )


def _share(form: ShareForm, record: FileRecord, user: User) -> Grant | None:
    given = form.cleaned_data
    to = given["recipient"]
    new = Grant(
        file=record,
        user=to if isinstance(to, User) else None,
        group=None if isinstance(to, User) else to,
        level=given["level"],
        expires_at=given["expires_at"],
        reason=given["reason"],
    )
    try:
        return granting.share(new, actor=user)
    except ValidationError as error:
        form.add_error(None, error)
        return None


def _revoke(request: HttpRequest, record: FileRecord, access: Access) -> HttpResponse:
    number = request.POST["revoke"]
    if not ROW_NUMBER.fullmatch(number):
        raise Http404
    target = get_object_or_404(record.grants, pk=int(number))
    user = user_of(request)
    try:
        changed = granting.withdraw(target, actor=user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return _grants_page(request, record, access, ShareForm(own_end=access.until), status=403)
    messages.success(
        request,
        f"The grant for {target.recipient_name} was revoked{'' if changed else ' before'}.",
    )
    left = granting.given_by(target.user_id, record) if changed else 0
    if left:
        # Each stands on its own: whoever revokes decides about them.
        messages.warning(
            request,
            f"{target.recipient_name} gave {left} grant{'' if left == 1 else 's'} of this file to "
            f"others. {'It stays' if left == 1 else 'They stay'} until revoked.",
        )
    still_there = managed_by(Person(user)).filter(pk=record.pk).exists()
    if not still_there:
        return redirect("files:list")
    return redirect(reverse("files:grants", args=[record.pk]) + f"?ended={target.pk}")
