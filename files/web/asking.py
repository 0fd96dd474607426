"""The pages of a folder's requests: ask people outside for files, see what came, end it.

For who manages the folder. What waits to be accepted is shown to the requester and the owner.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.outside import codes
from files.access.explaining import access_of
from files.access.principals import Person
from files.errors import NoSuchFolder, TooDeep
from files.models import FileRequest, Folder, Received
from files.models.requests import MAX_TITLE, MAX_WORDS
from files.sharing import requests, senders
from files.vault import outside
from files.web.requested import ids_of, may_not, user_of, visible_folder

SHOWN = 200
"""Rows of each table: of more, the newest."""

MB = 1024 * 1024
"""As sizes are shown on pages."""


class AskForm(forms.Form):
    """What is asked for, of whom and until when; what may not be is said by the use case."""

    title = forms.CharField(
        label=gettext_lazy("What do you ask for?"),
        max_length=MAX_TITLE,
        help_text=gettext_lazy("Whoever has the address reads this, and your name."),
    )
    words = forms.CharField(
        label=gettext_lazy("Words to who sends"),
        max_length=MAX_WORDS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    days = forms.IntegerField(label=gettext_lazy("For how many days?"), min_value=1)
    megabytes = forms.IntegerField(
        label=gettext_lazy("How many megabytes does it take in all?"), min_value=1
    )
    most_files = forms.IntegerField(
        label=gettext_lazy("How many files?"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=gettext_lazy("Empty: any number."),
    )
    most_senders = forms.IntegerField(
        label=gettext_lazy("How many people?"),
        min_value=1,
        max_value=senders.MOST_SENDERS,
        required=False,
        help_text=gettext_lazy("Empty: any number."),
    )
    identify = forms.ChoiceField(
        label=gettext_lazy("How do they say who they are?"),
        choices=FileRequest.Identify.choices,
        initial=FileRequest.Identify.NAME,
    )
    addresses = forms.CharField(
        label=gettext_lazy("Who gets a code"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy(
            "Mail addresses, or domains as @example.org, with spaces between them; only where a "
            "code is asked for."
        ),
    )
    accept_first = forms.BooleanField(
        label=gettext_lazy("Hold back what is sent until I accept it"), required=False
    )

    def __init__(self, data: Any = None, *, own_end: datetime | None = None) -> None:
        super().__init__(data)
        self._own_end = own_end
        self.fields["days"].initial = min(settings.REQUEST_DAYS, settings.REQUEST_MAX_DAYS)
        largest = settings.REQUEST_MAX_QUOTA // MB
        self.fields["megabytes"].initial = min(settings.REQUEST_QUOTA // MB or 1, largest)

    def clean_addresses(self) -> list[str]:
        """The addresses, each by itself."""
        return codes.addresses_of(self.cleaned_data["addresses"])

    def terms(self) -> requests.Terms:
        """What was typed; a number of days that goes past one's own end stops there."""
        said = self.cleaned_data
        until = timezone.now() + timedelta(days=min(said["days"], 100_000))
        if self._own_end is not None:
            until = min(until, self._own_end)
        return requests.Terms(
            said["title"],
            words=said["words"],
            expires_at=until,
            most_bytes=said["megabytes"] * MB,
            most_files=said["most_files"],
            most_senders=said["most_senders"],
            identify=said["identify"],
            addresses=said["addresses"],
            accept_first=said["accept_first"],
        )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def folder_requests(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """The requests of a folder; ask for something new."""
    folder = visible_folder(request, folder_id)
    user = user_of(request)
    access = access_of(Person(user), folder)
    if access is None or not access.may_manage or folder.is_root:
        return may_not(request, folder, _("You may not ask people outside for files here"))
    if request.method != "POST":
        return _list(request, folder, AskForm(own_end=access.until))
    if not requests.may_ask(user):
        return may_not(request, folder, _("You may not ask people outside for files"))
    form = AskForm(request.POST, own_end=access.until)
    if not form.is_valid():
        return _list(request, folder, form, status=400)
    try:
        made, token = requests.make(folder, form.terms(), by=Person(user), actor=user)
    except ValidationError as error:
        form.add_error(None, error)
        return _list(request, folder, form, status=400)
    address = request.build_absolute_uri(reverse("asked", args=[token]))
    context = {"folder": folder, "made": made, "address": address}
    # The address is the whole right to send: it is shown now, and never again.
    response = render(request, "folders/request_made.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _list(
    request: HttpRequest, folder: Folder, form: AskForm, *, status: int = 200
) -> HttpResponse:
    user = user_of(request)
    found = requests.requests_managed_by(Person(user)).filter(folder=folder.pk)
    context = {
        "folder": folder,
        "form": form,
        "may_ask": requests.may_ask(user),
        "requests": requests.with_numbers(found)[:SHOWN],
    }
    return render(request, "folders/requests.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def folder_request(request: HttpRequest, folder_id: uuid.UUID, number: int) -> HttpResponse:
    """One request: who has sent what; accept, decline, end."""
    folder = visible_folder(request, folder_id)
    asked = _managed(request, number, folder)
    if request.method != "POST":
        return _page(request, folder, asked)
    user = user_of(request)
    here = redirect("folders:request", folder_id=folder.pk, number=asked.pk)
    if "end" in request.POST:
        ended = requests.end(asked, actor=user)
        messages.success(request, _("It has ended.") if ended else _("It had ended before."))
        return here
    acts = {"accept": requests.accept, "decline": requests.decline}
    act = next((acts[name] for name in acts if name in request.POST), None)
    if act is None:
        raise Http404
    chosen = ids_of(request.POST.getlist("file"))
    try:
        done = act(asked, chosen, by=Person(user), actor=user)
    except (NoSuchFolder, TooDeep) as error:
        messages.error(request, str(error))
        return here
    told = {
        "accept": ngettext("%(n)d file accepted.", "%(n)d files accepted.", done),
        "decline": ngettext("%(n)d file is in the trash.", "%(n)d files are in the trash.", done),
    }
    messages.success(request, told["accept" if act is requests.accept else "decline"] % {"n": done})
    return here


def _managed(request: HttpRequest, number: int, folder: Folder) -> FileRequest:
    managed = requests.requests_managed_by(Person(user_of(request))).filter(folder=folder.pk)
    return get_object_or_404(requests.with_numbers(managed), pk=number)


def _page(request: HttpRequest, folder: Folder, asked: FileRequest) -> HttpResponse:
    who = Person(user_of(request))
    came = Received.objects.filter(sender__request=asked.pk).select_related("sender")
    context = {
        "folder": folder,
        "asked": asked,
        "left": outside.left_of(asked),
        "is_open": outside.is_open(asked),
        "waiting": requests.waiting_through(asked, who)[:SHOWN],
        "received": came.exclude(accepted_at=None, declined_at=None).order_by("-pk")[:SHOWN],
        "senders": senders.senders_of(asked)[:SHOWN],
    }
    return render(request, "folders/request.html", context)
