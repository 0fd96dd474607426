"""The administration as one site: its areas, by what people look for, and its front page.

Where a model stands is told here, for a model's application says who wrote it and not what it is
for. Who sees it is decided elsewhere (`accounts.authority`, and Django's permissions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.administration import Site as GuardedSite
from files.administration import dashboard

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class Area:
    """One group of the front page and of the menu: models by label, with the words for them."""

    slug: str
    name: _StrPromise
    models: Mapping[str, _StrPromise]


AREAS = (
    Area(
        "people",
        _("People"),
        MappingProxyType(
            {
                "accounts.user": _("Users"),
                "auth.group": _("Groups"),
                "accounts.invitation": _("Invitations"),
                "account.emailaddress": _("E-mail addresses"),
                "mfa.authenticator": _("Second factors"),
                "accounts.token": _("Tokens for programs"),
            }
        ),
    ),
    Area(
        "files",
        _("Files"),
        MappingProxyType({"files.filerecord": _("Files"), "files.folder": _("Folders")}),
    ),
    Area(
        "access",
        _("Access"),
        MappingProxyType(
            {
                "files.grant": _("Shares"),
                "files.link": _("Links"),
                "files.filerequest": _("Requests for files"),
                "files.accessrequest": _("Requests for access"),
            }
        ),
    ),
    Area("audit", _("Audit"), MappingProxyType({"audit.auditevent": _("Events")})),
    Area(
        "system",
        _("System"),
        MappingProxyType({"files.masterkey": _("Master keys"), "notices.mail": _("Mails")}),
    ),
)
"""Every model of the administration is in one of them; one that is forgotten is in the last."""


def area_of(label: str) -> Area:
    """The area in which the model with that label (`files.grant`) stands."""
    return next((area for area in AREAS if label in area.models), AREAS[-1])


class Site(GuardedSite):
    """Closed at first, as below; shown by areas."""

    site_header = site_title = _("Securestore administration")
    index_title = _("Administration")
    site_url = None  # The top of each page has a way back to the files.

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The areas with the models that whoever asks may see; of an application, those it is in.

        As Django's list of applications, whose place they take in its templates.
        """
        seen = {
            model["model"]._meta.label_lower: model
            for app in self._build_app_dict(request).values()
            for model in app["models"]
        }
        found: list[dict[str, Any]] = []
        for area in AREAS:
            labels = [*area.models, *(label for label in seen if area_of(label) is area)]
            models = [
                {**seen[label], "name": area.models.get(label, seen[label]["name"])}
                for label in dict.fromkeys(labels)
                if label in seen
            ]
            if models:
                found.append(
                    {
                        "name": area.name,
                        "app_label": area.slug,
                        "app_url": f"{reverse('admin:index')}#{area.slug}",
                        "has_module_perms": True,
                        "models": models,
                    }
                )
        if app_label is None:
            return found
        return [
            area
            for area in found
            if any(model["model"]._meta.app_label == app_label for model in area["models"])
        ]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The front page: what needs attention, and the areas."""
        shown = {"dashboard": dashboard.of(request.user), **(extra_context or {})}
        return super().index(request, shown)
