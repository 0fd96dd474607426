"""The page of one file, and its history."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from files.access.explaining import Access, access_of
from files.access.permissions import Permission, may_share
from files.access.principals import Person
from files.access.rule import removable_by
from files.access.statements import reaches
from files.lists import places
from files.models import FileRecord
from files.records.kinds import kind_of
from files.sharing.history import page_of
from files.vault import opening
from files.web import readers
from files.web.key_pages import key_context
from files.web.requested import ROW_NUMBER, managed, user_of, visible
from files.web.transfers import unlocking
from files.web.words import can


@require_safe
@login_required
def detail(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """What there is to know about one file, and what may be done with it."""
    record = visible(request, file_id)
    user = user_of(request)
    access = access_of(Person(user), record)
    if access is None:  # Revoked between the two queries.
        raise Http404
    may_download = user.has_perm(Permission.DOWNLOAD)
    way = places.way_to(Person(user), record.folder_id)
    context = {
        "record": record,
        "way": way,
        "may_put_away": access.may_manage or _is_own_addition(user, record),
        "access": access,
        "can": "" if access.is_owner else can(access.level, folder=access.folder is not None),
        "may_download": may_download,
        "is_viewable": kind_of(record.content_type, record.name) is not None,
        "digests": _digests(request, record) if may_download else None,
        "may_manage": access.may_manage,
        "may_share": may_share(user),
        **(_for_managers(request, record, access, {one.pk for one in way}) or {}),
        **(key_context(request, record) if record.is_held else {}),
    }
    return render(request, "files/detail.html", context)


def _for_managers(
    request: HttpRequest, record: FileRecord, access: Access, seen: set[uuid.UUID]
) -> dict[str, Any] | None:
    """Who else reads it, and how many versions there are; None for those who do not manage it."""
    if not access.may_manage:
        return None
    shown = readers.readers_of(
        record,
        access,
        seen,
        user=user_of(request),
        page=request.GET.get("page", "1"),
        ended_page=request.GET.get("earlier", "1"),
    )
    return {
        "readers": shown,
        "earlier": "earlier" in request.GET,
        "versions": 1 + record.versions.count(),
    }


def _is_own_addition(user: User, record: FileRecord) -> bool:
    own = record.uploaded_by_id == user.pk
    return own and reaches(removable_by, Person(user), record.pk)


def _digests(request: HttpRequest, record: FileRecord) -> dict[str, str] | None:
    """The digests of the bytes, as text, for who could have the bytes now."""
    found = opening.digests_of(record.current, unlocking.key_of(request, record))
    if found is None:
        return None
    return {"sha256": found.sha256.hex() if found.sha256 else "", "chain": found.chain.hex()}


@require_safe
@login_required
def history(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """What happened to a file, for its owner and those who manage it."""
    record = managed(request, file_id)
    user = user_of(request)
    before = request.GET.get("before", "")
    number = int(before) if ROW_NUMBER.fullmatch(before) else None
    reads_log = user.is_staff and user.has_perm(Permission.READ_LOG)
    context = {
        "record": record,
        "reads_log": reads_log,
        "page": page_of(
            record, before=number, length=settings.EVENTS_PER_PAGE, reads_log=reads_log
        ),
        "is_first": number is None,
    }
    return render(request, "files/history.html", context)
