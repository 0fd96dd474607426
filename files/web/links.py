"""The pages of the links to a file or a folder, for who manages it: make one, see, and end them."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.core.validators import MaxValueValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from files.access.explaining import access_of
from files.access.principals import Person
from files.models import Item
from files.sharing.links import ending, listing, making
from files.web.forms import LAST_DAY
from files.web.key_pages import as_it_is
from files.web.requested import ROW_NUMBER, managed, may_not, user_of, visible_folder


class LinkForm(forms.Form):
    """Until when, how often and for whom a link works."""

    until = forms.DateField(
        label=gettext_lazy("Last day"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[
            MaxValueValidator(LAST_DAY, gettext_lazy("Choose a day before the year 3000."))
        ],
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Tell it by another way than the link: on the telephone, say."),
    )
    addresses = forms.CharField(
        label=gettext_lazy("Only for the addresses"),
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("A code is sent there by mail to open it. Empty: for everybody."),
    )
    most = forms.IntegerField(
        label=gettext_lazy("Downloads at most"),
        required=False,
        min_value=1,
        max_value=making.MOST_DOWNLOADS,
        help_text=gettext_lazy("Empty: any number."),
    )
    label = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=100,
        help_text=gettext_lazy("For yourself and others who manage it."),
    )

    def __init__(self, data: Any = None, *, own_end: datetime | None) -> None:
        days = min(settings.LINK_DAYS, settings.LINK_MAX_DAYS)
        usual = timezone.localdate() + timedelta(days=days)
        if own_end is not None:
            usual = min(usual, timezone.localtime(own_end).date())
        super().__init__(data, initial={"until": usual})
        self._own_end = own_end
        self.fields["password"].required = settings.LINK_NEEDS_PASSWORD

    def terms(self) -> making.Terms:
        """What was typed; on the last day of one's own access it ends with that."""
        given = self.cleaned_data
        end = timezone.make_aware(datetime.combine(given["until"], time(23, 59, 59)))
        if self._own_end and timezone.localtime(self._own_end).date() == given["until"]:
            end = min(end, self._own_end)
        return making.Terms(
            end, given["label"], given["password"], given["addresses"], given["most"]
        )


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@login_required
def file_links(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """The links to a file."""
    return _links(request, managed(request, file_id))


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@login_required
def folder_links(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """The links to a folder."""
    folder = visible_folder(request, folder_id)
    access = access_of(Person(user_of(request)), folder)
    if access is None or not access.may_manage or folder.is_root:
        return may_not(request, folder, _("You may not share it"))
    return _links(request, folder)


@sensitive_variables()
def _links(request: HttpRequest, item: Item) -> HttpResponse:
    user = user_of(request)
    access = access_of(Person(user), item)
    if access is None:  # Revoked between the two queries.
        raise Http404
    if "end" in request.POST:
        return _end(request, item)
    form = LinkForm(request.POST if request.method == "POST" else None, own_end=access.until)
    if form.is_valid() and (made := _made(form, item, request)) is not None:
        url = request.build_absolute_uri(making.path_of(made.text))
        told = {"item": item, "made": made.link, "address": url, "back": address_of(item)}
        return as_it_is(render(request, "files/link_made.html", told))
    page = Paginator(listing.links_of(item), settings.GRANTS_PER_PAGE).get_page(
        request.GET.get("page", "")
    )
    awake = listing.awake(item, page)
    context = {
        "item": item,
        "kind": item.kind,
        "access": access,
        "form": form,
        "may_make": listing.may_make(user),
        "page": page,
        "awake": awake,
        "is_locked": getattr(item, "is_held", False),
    }
    return render(request, "files/links.html", context, status=400 if form.errors else 200)


@sensitive_variables()
def _made(form: LinkForm, item: Item, request: HttpRequest) -> making.Made | None:
    try:
        return making.make(item, form.terms(), actor=user_of(request))
    except ValidationError as error:
        told = error.error_dict if hasattr(error, "error_dict") else {None: [error]}
        for name, errors in told.items():
            for one in errors:
                form.add_error("until" if name == "expires_at" else name, one)
        return None


def _end(request: HttpRequest, item: Item) -> HttpResponse:
    number = request.POST["end"]
    if not ROW_NUMBER.fullmatch(number):
        raise Http404
    link = get_object_or_404(listing.links_of(item), pk=int(number))
    ended = ending.end(link, actor=user_of(request))
    messages.success(
        request, _("The link is ended.") if ended else _("The link had been ended before.")
    )
    return redirect(address_of(item))


def address_of(item: Item) -> str:
    """The page of its links."""
    return reverse(f"{item.kind}s:links", args=[item.pk])
