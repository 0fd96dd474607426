"""Effective access in the admin: on each file and folder who can read it and why, on each person
which files.

Read only, for staff who may view files and grants. Who lacks a permission gets the same 403 for
every id.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from files.models import FileRecord, Folder
from files.sharing.effective_access import (
    Explained,
    explain_files,
    explain_readers,
    readable,
    readers,
    shut_out,
    withheld,
)
from files.sharing.links.listing import awake, links_reaching
from runtime.administration import MOST_COUNTED, BoundedPaginator

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]

PER_PAGE = 50
VIEW = ("files.view_filerecord", "files.view_grant")


def may_look(request: HttpRequest, model_admin: Admin) -> bool:
    """Whether this member of staff may see who can read what."""
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perms(VIEW)


@dataclass(frozen=True)
class Side:
    """One of the two lists of a page: those who can read, or those who cannot."""

    name: str
    label: str
    rows: Any
    live: bool


def file_access(request: HttpRequest, object_id: uuid.UUID, model_admin: Admin) -> HttpResponse:
    """Who can read one file, and why."""
    if not may_look(request, model_admin):
        raise PermissionDenied
    record = get_object_or_404(FileRecord.objects.select_related("owner"), pk=object_id)
    return _of_item(request, record, model_admin)


def folder_access(request: HttpRequest, object_id: uuid.UUID, model_admin: Admin) -> HttpResponse:
    """Who can read one folder, with all that is in it, and why."""
    if not may_look(request, model_admin):
        raise PermissionDenied
    folders = Folder.objects.select_related("owner").filter(parent__isnull=False)
    return _of_item(request, get_object_or_404(folders, pk=object_id), model_admin)


def _of_item(request: HttpRequest, record: FileRecord | Folder, model_admin: Admin) -> HttpResponse:
    now = timezone.now()
    sides = [
        Side("now", _("can read it now"), readers(record, now), live=True),
        Side("not", _("named, but shut out"), shut_out(record, now), live=False),
    ]

    def explain(people: Page[Any], *, live: bool) -> list[Explained]:
        return explain_readers(record, people, now=now, live=live)

    return _answer(
        request,
        model_admin,
        record,
        sides,
        explain,
        title=_("Who can read it"),
        order=("username",),
    )


def user_access(request: HttpRequest, user_id: int, model_admin: Admin) -> HttpResponse:
    """Which files one person can read, and why."""
    if not may_look(request, model_admin):
        raise PermissionDenied
    person = get_object_or_404(User, pk=user_id)
    now = timezone.now()
    sides = [
        Side("now", _("can read now"), readable(person), live=True),
        Side("not", _("named, but shut out"), withheld(person), live=False),
    ]

    def explain(records: Page[Any], *, live: bool) -> list[Explained]:
        return explain_files(person, records, now=now, live=live)

    return _answer(
        request,
        model_admin,
        person,
        sides,
        explain,
        title=_("Which files this person can read"),
        order=("-place",),
    )


def _links(subject: Any) -> dict[str, Any]:
    """The links by which people outside read it, those of folders above among them."""
    if not isinstance(subject, FileRecord | Folder):
        return {}
    found = links_reaching(subject)
    return {"links": found, "awake": awake(subject, found)}


def _answer(
    request: HttpRequest,
    model_admin: Admin,
    subject: Any,
    sides: list[Side],
    explain: Callable[..., list[Explained]],
    *,
    title: str,
    order: tuple[str, ...],
) -> HttpResponse:
    chosen = next((side for side in sides if side.name == request.GET.get("show")), sides[0])
    rows = chosen.rows.order_by(*order)
    page = BoundedPaginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": subject,
        "title": title,
        "subtitle": str(subject),
        "of_file": isinstance(subject, FileRecord | Folder),
        "what": "folder" if isinstance(subject, Folder) else "file",
        "sides": sides,
        "chosen": chosen,
        "page": page,
        "more": page.paginator.count >= MOST_COUNTED,
        "rows": explain(page, live=chosen.live),
        **_links(subject),
    }
    return TemplateResponse(request, "admin/files/access.html", context)
