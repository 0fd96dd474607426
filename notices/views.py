"""The page of one's notices, and what one wants to hear of."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from notices import choosing, reading, sentences

_LONGEST_NUMBER = 18


@require_safe
@login_required
def notice_list(request: HttpRequest) -> HttpResponse:
    """The newest first. To look at them changes nothing."""
    user: Any = request.user
    before = _number(request.GET.get("before", ""))
    told, last = reading.page(user, before=before)
    here = reverse("notices:list")
    context = {
        "told": [(one, sentences.as_html(one)) for one in told],
        "newest": told[0].notice.pk if told else 0,
        "any_unread": any(one.notice.read_at is None for one in told),
        "next_url": f"{here}?before={last}" if last else "",
        "first_url": here if before is not None else "",
    }
    return render(request, "notices/list.html", context)


@login_required
@require_POST
def mark_read(request: HttpRequest) -> HttpResponse:
    """One of them, or all that were shown and older ones."""
    user: Any = request.user
    one = _number(request.POST.get("notice", ""))
    up_to = _number(request.POST.get("up_to", ""))
    if one is not None and not reading.mark(user.pk, one):
        raise Http404
    if one is None and up_to is not None:
        reading.mark_all(user.pk, up_to=up_to)
    return redirect("notices:list")


@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Save the switches of the account's page."""
    user: Any = request.user
    choosing.choose(
        user.pk,
        in_app=request.POST.getlist("in_app"),
        by_mail=request.POST.getlist("by_mail"),
        administrator=user.is_superuser,
    )
    messages.success(request, _("What you hear of was saved."))
    return redirect(f"{reverse('account')}#notices")


def _number(text: str) -> int | None:
    is_one = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_one else None
