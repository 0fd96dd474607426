"""Former versions of a file: the list, the bytes of one, what may be done with one.

For the owner and those who manage the file; to everybody else there are none. A held version is
unlocked by its own key, for itself alone.
"""

from __future__ import annotations

import uuid
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import reauthentication
from files.access.permissions import Permission
from files.access.principals import Person
from files.errors import FileDamaged, NoSuchVersion
from files.models import FileRecord
from files.records.kinds import kind_of
from files.vault import held, versions
from files.web import viewing
from files.web.downloads import send
from files.web.held_keys import REFUSED, key_refused, wrong_keys_counted
from files.web.key_pages import VIEW, locked
from files.web.requested import managed, may_not_download, user_of
from files.web.transfers import unlocking


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def versions_of(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """The former versions; `restore` makes one current again, `delete` ends one for good."""
    record = managed(request, file_id)
    if request.method != "POST":
        return _page(request, record)
    try:
        if "delete" in request.POST:
            return _delete(request, record, _id_of(request.POST["delete"]))
        return _restore(request, record, _id_of(request.POST.get("restore", "")))
    except NoSuchVersion as gone:
        return _page(request, record, problem=str(gone), status=404)
    except FileDamaged as damaged:
        return _page(request, record, problem=str(damaged), status=502)


def _page(
    request: HttpRequest, record: FileRecord, *, problem: str = "", status: int = 200
) -> HttpResponse:
    former = [versions.as_it_was(kept) for kept in versions.of(record)]
    context = {
        "record": record,
        "former": former,
        "viewable": {one.version for one in former if _is_viewable(one)},
        "may_delete": record.owner_id == user_of(request).pk,
        "may_download": user_of(request).has_perm(Permission.DOWNLOAD),
        "problem": problem,
    }
    return render(request, "files/versions.html", context, status=status)


def _is_viewable(former: FileRecord) -> bool:
    return not former.is_damaged and kind_of(former.content_type, former.name) is not None


def _id_of(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NoSuchVersion from None


def _restore(request: HttpRequest, record: FileRecord, version: uuid.UUID) -> HttpResponse:
    user = user_of(request)
    versions.restore(record, version, by=Person(user), actor=user)
    messages.success(
        request, gettext("That version is the current one again; what was, is kept below.")
    )
    return redirect("files:versions", record.pk)


def _delete(request: HttpRequest, record: FileRecord, version: uuid.UUID) -> HttpResponse:
    if not reauthentication.is_recent(request):
        return reauthentication.ask(request, back_to=request.path)
    if not request.POST.get("sure"):
        problem = gettext(
            "Tick the box beside the button to delete a version: nobody can bring it back."
        )
        return _page(request, record, problem=problem, status=400)
    user = user_of(request)
    versions.delete(record, version, by=Person(user), actor=user)
    messages.success(request, gettext("That version was deleted for good."))
    return redirect("files:versions", record.pk)


@require_safe
@login_required
def download(request: HttpRequest, file_id: uuid.UUID, version: uuid.UUID) -> HttpResponseBase:
    """The bytes of a former version: GET and HEAD, whole or a range."""
    return send(request, _former(request, file_id, version))


@require_safe
@login_required
def view(request: HttpRequest, file_id: uuid.UUID, version: uuid.UUID) -> HttpResponse:
    """The page that shows a former version; a locked one asks for the key that it was made with."""
    return viewing.show(request, _former(request, file_id, version))


@require_POST
@sensitive_post_parameters("key")
@login_required
@sensitive_variables()
def unlock(request: HttpRequest, file_id: uuid.UUID, version: uuid.UUID) -> HttpResponse:
    """Take the key of a held version; the right one unlocks it in this browser for a while."""
    record = _former(request, file_id, version)
    user = user_of(request)
    if not user.has_perm(Permission.DOWNLOAD):
        return may_not_download(request, record)
    then = VIEW if request.POST.get("then") == VIEW else ""
    door = "files:version_view" if then else "files:version_download"
    there = redirect(door, record.pk, record.version)
    if not record.is_held:
        return there
    try:
        with wrong_keys_counted(request, record):
            key = held.unlock(record, request.POST.get("key", ""), actor=user)
    except REFUSED as refused:
        return key_refused(request, record, refused, partial(locked, request, record, then=then))
    unlocking.unlock(there, request, record, key)
    return there


def _former(request: HttpRequest, file_id: uuid.UUID, version: uuid.UUID) -> FileRecord:
    """The file as it was, for who manages it; 404 otherwise."""
    try:
        return versions.find(managed(request, file_id), version)
    except NoSuchVersion:
        raise Http404 from None
