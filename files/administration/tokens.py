"""An administrator makes a token for a person: for a program that nobody signs in for.

It reaches never further than that person, who is told on the page of their account and may end it.
It is shown once, to whoever makes it: with it they read what the person may, so it takes a
permission that nobody has by default, the password again, and no less power than the person has
(`accounts.authority`); the log names both. Must never keep a token, nor show it again.
"""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from accounts import tokens
from accounts.admin.tokens import TokenAdmin
from accounts.models import User
from files.web.key_pages import as_it_is
from files.web.tokens import TokenForm, made_from


class TokenForPersonForm(TokenForm):
    """A new token of somebody's: whose, and the rest as on their own page."""

    user = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        label=gettext_lazy("For whom"),
        help_text=gettext_lazy("The program acts in this person's place, and is told to them."),
    )
    field_order = ("user",)

    def clean_user(self) -> User:
        self.user_of_token = cast("User", self.cleaned_data["user"])
        return self.user_of_token


class TokensOfFiles(TokenAdmin):
    """Tokens, with the page that makes one for somebody."""

    @sensitive_variables()
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask for whom and what for; the answer shows the token, and no other ever does."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TokenForPersonForm(request.POST if request.method == "POST" else None)
        made: tokens.Made | None = None
        if form.is_valid():
            made = made_from(form, form.cleaned_data["user"], actor=cast("User", request.user))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Make a token for somebody"),
            "form": form,
            "made": made,
        }
        status = 400 if form.errors else 200
        page = "made" if made is not None else "add_form"
        template = f"admin/accounts/token/{page}.html"
        return as_it_is(TemplateResponse(request, template, context, status=status))
