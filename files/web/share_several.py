"""Sharing several files and folders in one step: all of them with everybody named, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from files.access.explaining import Access, accesses_of
from files.access.permissions import may_share
from files.access.principals import Person
from files.models import FileRecord, Item
from files.sharing import delegating
from files.sharing.granting import ITEMS_AT_ONCE
from files.web.chosen import back_of, chosen
from files.web.requested import user_of
from files.web.share_form import ShareForm
from files.web.shared import tell, tell_of_locked


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def share_several(request: HttpRequest) -> HttpResponse:
    """Share what `file` and `folder` name with those that the form names, and go `back`.

    404 where one of them is not visible; a list posts its choice here, and gets the form.
    """
    asked = request.POST if request.method == "POST" else request.GET
    back, user = back_of(asked, reverse("files:list")), user_of(request)
    if (count := len(asked.getlist("file") + asked.getlist("folder"))) > ITEMS_AT_ONCE:
        text = _("You chose %(count)d, and at most %(most)d can be shared at once: choose fewer.")
        messages.error(request, text % {"count": count, "most": ITEMS_AT_ONCE})
        return redirect(back)
    items = chosen(request, asked).items
    if not items:
        messages.warning(request, _("Choose files or folders first, then share them."))
        return redirect(back)
    if not may_share(user):
        context: dict[str, Any] = {"items": items, "back": back}
        return render(request, "files/may_not_share.html", context, status=403)
    accesses = accesses_of(Person(user), items)
    if refused := [one for one in items if not _manages(accesses, one)]:
        context = {"refused": refused, "count": len(items), "back": back}
        return render(request, "files/may_not_share_these.html", context, status=403)
    # The choice of a list alone, without anybody to share with, is no mistake.
    form = _form(request.POST if "to" in request.POST else None, items, accesses)
    if form.holds(request) and _share(request, form, items):
        return redirect(back)
    context = {
        "items": items,
        "form": form,
        "back": back,
        "own_end": form.own_end,
        "locked": any(isinstance(one, FileRecord) and one.is_held for one in items),
    }
    return render(request, "files/share_several.html", context, status=form.status)


def _manages(accesses: Mapping[UUID, Access], item: Item) -> bool:
    access = accesses.get(item.pk)
    return access is not None and access.may_manage


def _form(
    data: QueryDict | None, items: Sequence[Item], accesses: Mapping[UUID, Access]
) -> ShareForm:
    ends: list[datetime] = [end for one in accesses.values() if (end := one.until) is not None]
    return ShareForm(data, items=items, own_end=min(ends, default=None))


def _share(request: HttpRequest, form: ShareForm, items: Sequence[Item]) -> bool:
    try:
        outcomes = delegating.share(items, form.named, form.terms(), actor=user_of(request))
    except ValidationError as error:
        form.add_error(None, error)
        return False
    tell(request, outcomes, form.cleaned_data["expires_at"])
    tell_of_locked(request, outcomes)
    return True
