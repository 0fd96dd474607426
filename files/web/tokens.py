"""The pages of one's own tokens for programs: make one, which is shown once, and revoke one.

To make one takes who has confirmed lately that it is them. Must never show a token again, nor keep
one: not in the session, a message or an address.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import tokens
from accounts.models import Token, User
from accounts.reauthentication import recently_authenticated
from files.access.principals import Person
from files.access.rule import folders_visible_to
from files.models import Folder
from files.web.key_pages import as_it_is
from files.web.requested import ROW_NUMBER, user_of

USUAL = timedelta(days=90)
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class TokenForm(forms.Form):
    """A new token: what for, what it may, where, and until when."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        help_text=gettext_lazy("What it is for: the log names it with all that it does."),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        choices=Token.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("And never more than you may yourself."),
    )
    folder = forms.CharField(
        label=gettext_lazy("Only in the folder"),
        required=False,
        max_length=500,
        help_text=gettext_lazy(
            "The address of its page, or its id; empty: wherever you may go yourself."
        ),
    )
    networks = forms.CharField(
        label=gettext_lazy("Only from the addresses"),
        required=False,
        max_length=1000,
        help_text=gettext_lazy("As 192.0.2.7 or 192.0.2.0/24, with spaces; empty: from anywhere."),
    )
    until = forms.DateField(
        label=gettext_lazy("Until"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Its last day; a year from now at most."),
    )

    user_of_token: User | None = None
    """Whose it is to be."""

    def __init__(self, data: Any = None, *, user: User | None = None) -> None:
        super().__init__(data, initial={"until": timezone.localdate() + USUAL})
        self.user_of_token = user

    def clean_folder(self) -> Folder | None:
        text = self.cleaned_data["folder"].strip()
        if not text:
            return None
        found = _ID.search(text)
        user = self.user_of_token
        folder = _folder_of(user, uuid.UUID(found[0])) if found and user else None
        if folder is None:
            raise ValidationError(
                _("You see no such folder: open it, and copy the address of its page.")
            )
        return folder

    def clean_until(self) -> datetime:
        last: Any = self.cleaned_data["until"]
        return timezone.make_aware(datetime.combine(last, time(23, 59, 59)))


def _folder_of(user: User, folder_id: uuid.UUID) -> Folder | None:
    return folders_visible_to(Person(user)).filter(pk=folder_id).first()


@require_safe
@login_required
def own_tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens."""
    return render(request, "accounts/tokens.html", {"tokens": _shown(user_of(request))})


def _shown(user: User) -> list[dict[str, Any]]:
    """The tokens with the names of their folders, where the person sees them still. Two queries."""
    found = tokens.of(user)
    wanted = {one.folder_id for one in found if one.folder_id}
    seen = folders_visible_to(Person(user)).in_bulk(wanted) if wanted else {}
    return [
        {"token": one, "folder": seen.get(one.folder_id) if one.folder_id else None}
        for one in found
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@recently_authenticated
@never_cache
@sensitive_variables()
def new_token(request: HttpRequest) -> HttpResponse:
    """Make a token; the answer shows it, and no other ever does."""
    user = user_of(request)
    form = TokenForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid() and (made := made_from(form, user, actor=user)) is not None:
        context = {"made": made, "address": request.build_absolute_uri("/api/v1/me")}
        return as_it_is(render(request, "accounts/token_made.html", context))
    status = 400 if form.errors else 200
    return render(request, "accounts/token_new.html", {"form": form}, status=status)


@sensitive_variables()
def made_from(form: TokenForm, user: User, *, actor: User) -> tokens.Made | None:
    """The token that a sound form asks for; None, and words in the form, where it may not be."""
    given = form.cleaned_data
    folder: Folder | None = given["folder"]
    try:
        return tokens.make(
            user,
            name=given["name"],
            scopes=given["scopes"],
            expires_at=given["until"],
            folder_id=folder.pk if folder is not None else None,
            networks=given["networks"],
            actor=actor,
        )
    except ValidationError as refused:
        told = getattr(refused, "error_dict", None) or {None: refused}
        for field, error in told.items():
            name = {"expires_at": "until"}.get(str(field), field)
            form.add_error(name if name in form.fields else None, error)
    return None


@login_required
@require_POST
def revoke_token(request: HttpRequest) -> HttpResponse:
    """End one of one's own tokens; with `all`, every one of them."""
    user = user_of(request)
    number = request.POST.get("token", "")
    if number == "all":
        tokens.revoke_all(user, actor=user)
        messages.success(request, _("All of your tokens were ended."))
        return redirect("tokens")
    if not ROW_NUMBER.fullmatch(number):
        raise Http404
    token = get_object_or_404(Token.objects.filter(user=user), pk=int(number))
    if tokens.revoke(token, actor=user):
        messages.success(
            request, _("“%(name)s” was ended: it opens nothing any more.") % {"name": token.name}
        )
    return redirect("tokens")
