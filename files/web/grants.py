"""The pages of who may read a file or a folder: share it, and revoke."""

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
from files.access import Access, Person, access_of, may_share
from files.lists import places
from files.models import FileRecord, Folder, Grant, Item
from files.sharing import granting
from files.sharing.inheritance import from_above
from files.sharing.recipients import describe
from files.web.forms import ShareForm
from files.web.requested import ROW_NUMBER, managed, may_not, user_of, visible_folder


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def grants(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Who may read a file; share it, and revoke."""
    record = managed(request, file_id)
    return _grants(request, record, access_of(Person(user_of(request)), record))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def folder_grants(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Who may read what is in a folder; share it, and revoke."""
    folder = visible_folder(request, folder_id)
    access = access_of(Person(user_of(request)), folder)
    if access is None or not access.may_manage or folder.is_root:
        return may_not(request, folder, "share it")
    return _grants(request, folder, access)


def _grants(request: HttpRequest, item: Item, access: Access | None) -> HttpResponse:
    user = user_of(request)
    if not may_share(user):
        context = {"item": item, "kind": item.kind}
        return render(request, "files/may_not_share.html", context, status=403)
    if access is None:  # Revoked between the two queries.
        raise Http404
    if "revoke" in request.POST:
        return _revoke(request, item, access)
    form = _form(item, access, request.POST if request.method == "POST" else None)
    if form.is_valid() and (made := _share(form, item, user)):
        _tell_shared(request, made, form)
        return redirect(_address(item))
    return _grants_page(request, item, access, form, status=400 if form.errors else 200)


def _form(item: Item, access: Access, data: Any = None) -> ShareForm:
    return ShareForm(data, own_end=access.until, of_folder=isinstance(item, Folder))


def _address(item: Item) -> str:
    return reverse(f"{item.kind}s:grants", args=[item.pk])


def _grants_page(
    request: HttpRequest, item: Item, access: Access, form: ShareForm, *, status: int
) -> HttpResponse:
    shown = item.grants.select_related("user", "group", "granted_by")
    page = Paginator(shown, settings.GRANTS_PER_PAGE).get_page(request.GET.get("page"))
    user = user_of(request)
    revocable = {
        grant.pk
        for grant in page
        if grant.status in {"live", "scheduled"}
        and granting.may_withdraw(grant, access, actor=user)
    }
    folder_id = item.covered_from_id
    way = places.way_to(Person(user), folder_id)
    context = {
        "item": item,
        "kind": item.kind,
        "action": _address(item),
        "access": access,
        "form": form,
        "grants": page,
        "inherited": from_above(item),
        "seen_folders": {folder.pk for folder in way},
        "revocable": revocable,
        **_what_is_left(request, item, access),
    }
    return render(request, "files/grants.html", context, status=status)


def _what_is_left(request: HttpRequest, item: Item, access: Access) -> dict[str, Any]:
    """By what else somebody reads it, whose grant the address says was revoked just now."""
    number = request.GET.get("ended", "")
    if request.method == "POST" or not ROW_NUMBER.fullmatch(number):
        return {}
    revoked = item.grants.filter(pk=int(number), revoked_at__isnull=False)
    ended = revoked.select_related("user", "group").first()
    if ended is None:
        return {}
    left = granting.remaining(item, ended.user, ended.group)
    user = user_of(request)
    # What is on a folder above is revoked there.
    may_end = {
        one.pk
        for one in left
        if one.target == item and granting.may_withdraw(one, access, actor=user)
    }
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


def _share(form: ShareForm, item: Item, user: User) -> Grant | None:
    given = form.cleaned_data
    to = given["recipient"]
    new = Grant(
        file=item if isinstance(item, FileRecord) else None,
        folder=item if isinstance(item, Folder) else None,
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


def _revoke(request: HttpRequest, item: Item, access: Access) -> HttpResponse:
    number = request.POST["revoke"]
    if not ROW_NUMBER.fullmatch(number):
        raise Http404
    target = get_object_or_404(item.grants, pk=int(number))
    user = user_of(request)
    try:
        changed = granting.withdraw(target, actor=user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return _grants_page(request, item, access, _form(item, access), status=403)
    messages.success(
        request,
        f"The grant for {target.recipient_name} was revoked{'' if changed else ' before'}.",
    )
    left = granting.given_by(target.user_id, item) if changed else 0
    if left:
        # Each stands on its own: whoever revokes decides about them.
        messages.warning(
            request,
            f"{target.recipient_name} gave {left} grant{'' if left == 1 else 's'} of this "
            f"{item.kind} to others. {'It stays' if left == 1 else 'They stay'} until revoked.",
        )
    still = access_of(Person(user), item)
    if still is None or not still.may_manage:
        return redirect("files:list")
    return redirect(f"{_address(item)}?ended={target.pk}")
