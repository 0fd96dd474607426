"""The upload page, whose form is streamed into the vault while it arrives.

Nothing becomes a file before the form's token was checked.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from files.access.permissions import Permission
from files.access.principals import Person
from files.access.rule import addable_by
from files.access.statements import reaches
from files.errors import FileTooLarge, MayNotAdd, NameTaken, UploadLost
from files.keys import custody
from files.models import Conflict, FileRecord, Folder
from files.vault import storing
from files.web.forms import UploadForm
from files.web.key_pages import as_it_is, keys_page, shown_keys
from files.web.requested import ids_of, may_not, user_of, visible_folder
from files.web.transfers.bodies import declared_length
from files.web.transfers.destinations import BadDestination
from files.web.transfers.forms import (
    BadTime,
    BodyTooShort,
    BodyTooSlow,
    NoForm,
    ReceivedFile,
    TooManyFiles,
    VaultUploadHandler,
)
from runtime.slowness import slowness_of

FORM_OVERHEAD = 64 * 1024
"""Bytes that a form may take beside its files."""


# The token is in the body, and reading the body is what stores the files. So this outer view is
# exempt, installs the handler and reads; the inner one is protected, and alone publishes.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("passphrase", "passphrase_again")
@sensitive_variables()
@login_required
@permission_required(Permission.UPLOAD, raise_exception=True)
def upload(request: HttpRequest) -> HttpResponseBase:
    """The upload page; several files in one form, streamed into the vault."""
    if request.method != "POST":
        return _page_for(request)
    if declared_length(request) > settings.MAX_UPLOAD_SIZE + FORM_OVERHEAD:
        error = FileTooLarge(settings.MAX_UPLOAD_SIZE)
        return _refused_upload(request, error, status=413)
    if request.content_type != "multipart/form-data":
        text = gettext("The body is of no type.")
        if request.content_type:
            text = gettext("The body is “%(kind)s”.") % {"kind": request.content_type}
        return _refused_upload(request, NoForm(text), status=415)
    handler = VaultUploadHandler(request, user_of(request))
    request.upload_handlers = [handler]
    try:
        request.POST  # noqa: B018  reads the whole body, through the handler
        if handler.misdirected is not None:
            raise handler.misdirected
        return publish_uploads(request, handler)
    except (BodyTooShort, UnreadablePostError):
        if (slow := slowness_of(request)) is not None:
            return _refused_upload(request, BodyTooSlow(slow), status=408)
        return _refused_upload(request, BodyTooShort(), status=400)
    except MultiPartParserError as error:
        if (slow := slowness_of(request)) is not None:
            return _refused_upload(request, BodyTooSlow(slow), status=408)
        text = gettext("The form could not be read (%(error)s).") % {"error": error}
        return _refused_upload(request, NoForm(text), status=400)
    except (TooManyFiles, BadTime, BadDestination) as error:
        return _refused_upload(request, error, status=400)
    except MayNotAdd as error:
        return _refused_upload(request, error, status=403)
    except FileTooLarge as error:
        return _refused_upload(request, error, status=413)
    except UploadLost as lost:
        return _refused_upload(request, lost, status=409)
    finally:
        handler.abort()


def _refused_upload(request: HttpRequest, error: Exception, *, status: int) -> HttpResponse:
    """The upload page, which says why nothing was stored."""
    return _upload_answer(request, empty_form(request), [("", error)], [], status=status)


def empty_form(request: HttpRequest) -> UploadForm:
    """The form of the upload page with nothing in it."""
    return UploadForm(user=user_of(request))


def _page_for(request: HttpRequest) -> HttpResponse:
    """The empty form, of the folder that the address names. Raises Http404."""
    text = request.GET.get("folder", "")
    if text:
        [folder_id] = ids_of([text])
        folder = visible_folder(request, folder_id)
        if not reaches(addable_by, Person(user_of(request)), folder.pk):
            return may_not(request, folder, _("You may not put anything into it"))
    return upload_page(request)


def _folder_of(request: HttpRequest) -> Folder | None:
    """The folder that the address names, where the user may add to it."""
    return _named_folder(request)


def _named_folder(request: HttpRequest, in_form: str | None = None) -> Folder | None:
    try:
        wanted = uuid.UUID(in_form or request.GET.get("folder", ""))
    except ValueError:
        return None
    found = addable_by(Person(user_of(request))).select_related("owner").filter(pk=wanted)
    return found.first()


@csrf_protect
def upload_page(request: HttpRequest) -> HttpResponse:
    """The empty form. Protected only so that it gets a token."""
    return _upload_answer(request, empty_form(request), [], [], status=200)


@csrf_protect
def publish_uploads(request: HttpRequest, handler: VaultUploadHandler) -> HttpResponse:
    """Turn what the handler has stored into files, now that the token has been checked."""
    form = UploadForm(request.POST, request.FILES, user=user_of(request))
    files = [file for file in request.FILES.getlist("files") if isinstance(file, ReceivedFile)]
    handler.date(files, request.POST.getlist("modified"))
    files = handler.direct(files, request.POST)
    received = [file.upload for file in files]
    if not form.is_valid() and (form.errors.keys() - {"files"} or not handler.refused):
        return _upload_answer(request, form, [], [], status=400)
    keys = form.new_keys(len(received))
    stored = storing.publish(received, keys)
    _tell_places(request, received, stored)
    if handler.refused:
        status = _status_of([error for _, error in handler.refused])
        return _upload_answer(
            request, empty_form(request), handler.refused, stored, status=status, keys=keys
        )
    if keys and not keys[0].derivation:
        return keys_page(request, shown_keys(stored, keys))
    count = len(stored)
    text = ngettext("%(count)d file stored.", "%(count)d files stored.", count)
    messages.success(request, text % {"count": count})
    return redirect(_named_folder(request, request.POST.get("folder")) or "files:list")


def _status_of(refused: Sequence[Exception]) -> int:
    for kind, status in ((FileTooLarge, 413), (NameTaken, 409)):
        if any(isinstance(error, kind) for error in refused):
            return status
    return 400


def _tell_places(
    request: HttpRequest, uploads: Sequence[storing.Upload], stored: Sequence[FileRecord]
) -> None:
    """Say of each file that did not come where, or under which name, it was meant to."""
    for upload, record in zip(uploads, stored, strict=True):
        meant = upload.destination.folder
        if meant is not None and record.folder_id != meant.pk:
            messages.warning(
                request,
                gettext(
                    "“%(name)s” is in your own files: the folder that it was meant for is gone, or "
                    "you may not add to it any more."
                )
                % {"name": record.name},
            )
        elif record.name != upload.name:
            messages.info(
                request,
                gettext("“%(name)s” was there already: what you sent is “%(name2)s”.")
                % {"name": upload.name, "name2": record.name},
            )


def _upload_answer(
    request: HttpRequest,
    form: UploadForm,
    problems: Sequence[tuple[str, Exception]],
    stored: list[FileRecord],
    *,
    status: int,
    keys: Sequence[custody.UserKey] | None = None,
) -> HttpResponse:
    context = {
        "form": form,
        "shown": shown_keys(stored, keys),
        "problems": [(name, str(error)) for name, error in problems],
        "stored": stored,
        "max_size": settings.MAX_UPLOAD_SIZE,
        "folder": _folder_of(request),
        "conflicts": [(one.value, one.label) for one in Conflict],
    }
    page = render(request, "files/upload.html", context, status=status)
    return as_it_is(page) if context["shown"] else page
