"""The page of who can read a file or a folder: share it, and stop sharing it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.models import User
from files.access.explaining import Access, access_of
from files.access.permissions import may_share
from files.access.principals import Person
from files.lists import places
from files.models import FileRecord, Folder, Item
from files.sharing import delegating, granting
from files.sharing.recipients import describe
from files.web import readers
from files.web.key_pages import key_context
from files.web.requested import ROW_NUMBER, managed, may_not, user_of, visible_folder
from files.web.share_form import ShareForm
from files.web.shared import tell


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def grants(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Who can read a file; share it, and stop."""
    record = managed(request, file_id)
    return _grants(request, record, access_of(Person(user_of(request)), record))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def folder_grants(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Who can read what is in a folder; share it, and stop."""
    folder = visible_folder(request, folder_id)
    access = access_of(Person(user_of(request)), folder)
    if access is None or not access.may_manage or folder.is_root:
        return may_not(request, folder, _("You may not share it"))
    return _grants(request, folder, access)


def _grants(request: HttpRequest, item: Item, access: Access | None) -> HttpResponse:
    user = user_of(request)
    if access is None:  # Revoked between the two queries.
        raise Http404
    if not may_share(user):
        return _may_not_share(request, item, access)
    if "revoke" in request.POST:
        return _stop(request, item, access)
    form = _form(item, access, request.POST if request.method == "POST" else None)
    if form.holds(request) and _share(request, form, item, user):
        return redirect(f"{address_of(item)}?shared=1")
    return _grants_page(request, item, access, form, status=form.status)


def _may_not_share(request: HttpRequest, item: Item, access: Access) -> HttpResponse:
    """Of a folder also who can read it: a file has that on its own page."""
    context: dict[str, Any] = {"items": [item], "back": item.get_absolute_url()}
    if isinstance(item, Folder):
        way = places.way_to(Person(user_of(request)), item.covered_from_id)
        context |= {"item": item, "access": access, **_readers(request, item, access, way)}
    return render(request, "files/may_not_share.html", context, status=403)


def _readers(
    request: HttpRequest, item: Item, access: Access, way: Sequence[Folder]
) -> dict[str, Any]:
    shown = readers.readers_of(
        item,
        access,
        {folder.pk for folder in way},
        user=user_of(request),
        page=request.GET.get("page", ""),
        ended_page=request.GET.get("earlier", ""),
    )
    return {"readers": shown, "earlier": "earlier" in request.GET}


def _form(item: Item, access: Access, data: Any = None) -> ShareForm:
    return ShareForm(data, items=[item], own_end=access.until)


def address_of(item: Item) -> str:
    """The page of who can read it."""
    return reverse(f"{item.kind}s:grants", args=[item.pk])


def _grants_page(
    request: HttpRequest, item: Item, access: Access, form: ShareForm, *, status: int
) -> HttpResponse:
    user = user_of(request)
    way = places.way_to(Person(user), item.covered_from_id)
    context = {
        "item": item,
        "kind": item.kind,
        "action": address_of(item),
        "access": access,
        "form": form,
        **_readers(request, item, access, way),
        **_what_is_left(request, item, access, {folder.pk for folder in way}),
        **(_handing_over(request, item) if request.GET.get("shared") and status == 200 else {}),
    }
    return render(request, "files/grants.html", context, status=status)


def _handing_over(request: HttpRequest, item: Item) -> dict[str, Any]:
    """What to send to those who can read it now and, of a locked file, what about its key."""
    told: dict[str, Any] = {"address": request.build_absolute_uri(item.get_absolute_url())}
    if isinstance(item, FileRecord) and item.is_held:
        told |= {"locked": item, **key_context(request, item)}
    return told


def _what_is_left(
    request: HttpRequest, item: Item, access: Access, seen: set[uuid.UUID]
) -> dict[str, Any]:
    """By what else somebody reads it, whose grant the address says was revoked just now."""
    number = request.GET.get("ended", "")
    if request.method == "POST" or not ROW_NUMBER.fullmatch(number):
        return {}
    revoked = item.grants.filter(pk=int(number), revoked_at__isnull=False)
    ended = revoked.select_related("user", "group").first()
    if ended is None:
        return {}
    left = granting.remaining(item, ended.user, ended.group)
    sizes = readers.sizes_of(one.group_id for one in left)
    user = user_of(request)
    lines = readers.lines_of(left, item, seen, sizes, access=access, user=user)
    return {"ended": ended, "left": lines, "all_may_end": all(one.may_stop for one in lines)}


def _share(request: HttpRequest, form: ShareForm, item: Item, user: User) -> bool:
    try:
        outcomes = delegating.share([item], form.named, form.terms(), actor=user)
    except ValidationError as error:
        form.add_error(None, error)
        return False
    tell(request, outcomes, form.cleaned_data["expires_at"])
    return True


def _stop(request: HttpRequest, item: Item, access: Access) -> HttpResponse:
    number = request.POST["revoke"]
    if not ROW_NUMBER.fullmatch(number):
        raise Http404
    target = get_object_or_404(item.grants, pk=int(number))
    user = user_of(request)
    try:
        changed = delegating.withdraw(target, actor=user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return _grants_page(request, item, access, _form(item, access), status=403)
    recipient = target.group or target.user
    name = describe(recipient) if recipient else target.recipient_name
    stopped = _("It is no longer shared with %(name)s.") % {"name": name}
    before = _("Sharing it with %(name)s had been stopped before.") % {"name": name}
    messages.success(request, stopped if changed else before)
    left = granting.given_by(target.user_id, item) if changed else 0
    if left:
        # Each stands on its own: whoever stops one decides about them.
        messages.warning(
            request,
            ngettext(
                "%(name)s had shared it with %(count)d other. They can still read it: stop that "
                "below, if it is to end, too.",
                "%(name)s had shared it with %(count)d others. They can still read it: stop that "
                "below, if it is to end, too.",
                left,
            )
            % {"name": name, "count": left},
        )
    still = access_of(Person(user), item)
    if still is None or not still.may_manage:
        return redirect("files:list")
    return redirect(f"{address_of(item)}?ended={target.pk}")
