"""Asking for access to what one may not see, and the page on which it is answered."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from files.access.explaining import access_of
from files.access.permissions import may_share
from files.access.principals import Person
from files.access.rule import folders_visible_to, visible_to
from files.models import AccessRequest, Item
from files.models.asked import LASTS
from files.sharing import asking
from files.sharing.recipients import describe
from files.web.requested import user_of
from files.web.share_form import ShareForm
from files.web.words import can

SHOWN = 100
"""Requests of others on one page, the newest; the rest come up as these are answered."""

OF_FILES = frozenset({"files:detail", "files:view", "files:download"})
"""The addresses of a file that people send one another."""


class AskForm(forms.Form):
    """Why somebody wants to be let in."""

    reason = forms.CharField(
        label=gettext_lazy("Why you need it"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=gettext_lazy("Those who can decide see it, with your name."),
        error_messages={"required": gettext_lazy("Say why you need it.")},
    )


class AnswerForm(ShareForm):
    """For what and until when it is shared with who asked."""

    to = None  # type: ignore[assignment]
    begins = None  # type: ignore[assignment]


def address_to_ask(request: HttpRequest) -> str:
    """Where a signed-in person may ask for what this request did not find; empty if nowhere.

    The address alone decides: it is the same for what exists and for what does not.
    """
    match = request.resolver_match
    if match is None or not request.user.is_authenticated:
        return ""
    if match.view_name in OF_FILES:
        return f"{reverse('ask_for_access')}?file={match.kwargs['file_id']}"
    if match.view_name == "folders:detail":
        return f"{reverse('ask_for_access')}?folder={match.kwargs['folder_id']}"
    return ""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for access to what an id names, or does not: the answer is the same."""
    kind, wanted = _wanted(request)
    user = user_of(request)
    if (item := _seen(request, kind, wanted)) is not None:
        return redirect(item)
    form = AskForm(request.POST if request.method == "POST" else None)
    status = 400 if form.errors else 200
    if form.is_valid():
        try:
            limits.ACCESS_REQUESTS.take(request, user=user.pk)
            asking.ask(user, kind, wanted, form.cleaned_data["reason"])
        except (limits.LimitReached, asking.TooManyRequests) as error:
            form.add_error(None, str(error))
            status = 429
        else:
            messages.success(request, _("You have asked for access."))
            return redirect("access_requests")
    address = request.build_absolute_uri(reverse(f"{kind}s:detail", args=[wanted]))
    context = {"form": form, "kind": kind, "wanted": wanted, "address": address, "days": LASTS.days}
    return render(request, "files/ask.html", context, status=status)


def _wanted(request: HttpRequest) -> tuple[str, uuid.UUID]:
    """What the form, or the address, names: its kind and its id; 404 where that is nothing."""
    given = request.POST if request.method == "POST" else request.GET
    for kind in AccessRequest.Kind.values:
        if text := given.get(kind):
            try:
                return kind, uuid.UUID(text)
            except ValueError:
                break
    raise Http404


def _seen(request: HttpRequest, kind: str, wanted: uuid.UUID) -> Item | None:
    who = Person(user_of(request))
    if kind == AccessRequest.Kind.FOLDER:
        return folders_visible_to(who).filter(pk=wanted).first()
    return visible_to(who).filter(pk=wanted).first()


@require_safe
@login_required
def asked(request: HttpRequest) -> HttpResponse:
    """What one has asked for; and what others ask, of who may share it."""
    user = user_of(request)
    waiting = list(asking.waiting_for(Person(user))[: SHOWN + 1])
    context = {
        "own": asking.own(user),
        "waiting": [(one, describe(one.asker)) for one in waiting[:SHOWN]],
        "are_more": len(waiting) > SHOWN,
        "may_share": may_share(user),
        "days": LASTS.days,
    }
    return render(request, "files/asked.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def answer(request: HttpRequest, number: int) -> HttpResponse:
    """The page of one request, for who may share what was asked for; posted, their answer."""
    user = user_of(request)
    rows = asking.answerable_by(Person(user)).select_related("asker", "answered_by", "grant")
    row = get_object_or_404(rows, pk=number)
    item = asking.item_of(row)
    access = access_of(Person(user), item) if item is not None else None
    if item is None or access is None:  # Gone between two queries.
        raise Http404
    data = request.POST if request.method == "POST" and not row.answer else None
    form = AnswerForm(data, items=[item], own_end=access.until)
    status = 200
    if request.method == "POST":
        status = _answered(request, row, form)
        if status == 302:
            return redirect("access_requests")
    theirs = access_of(Person(row.asker), item)
    level = theirs.level if theirs is not None and not theirs.is_owner else ""
    context: dict[str, Any] = {
        "row": row,
        "item": item,
        "form": form,
        "name": describe(row.asker),
        "answered_by": describe(row.answered_by) if row.answered_by else "",
        "can": can(level, folder=item.kind == "folder") if level else "",
        "access": access,
    }
    return render(request, "files/answer.html", context, status=status)


def _answered(request: HttpRequest, row: AccessRequest, form: AnswerForm) -> int:
    """Do what was posted; the status of the page, 302 where it is done."""
    user, name = user_of(request), describe(row.asker)
    try:
        if "decline" in request.POST:
            word = request.POST.get("word", "")[:255]
            asking.decline(row, word, by=Person(user), actor=user)
            messages.success(request, _("You declined. %(name)s is not told.") % {"name": name})
            return 302
        if not form.is_bound:
            raise asking.Answered
        if not form.is_valid():
            return 400
        asking.grant(row, form.terms(), by=Person(user), actor=user)
    except asking.Answered as error:
        messages.error(request, str(error))
        return 302
    except ValidationError as error:
        form.add_error(None, error)
        return 400
    messages.success(request, _("Shared with %(names)s.") % {"names": name})
    return 302
