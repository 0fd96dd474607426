"""What is sent through a request: a form for every browser, and tus, which resumes.

Both are what people inside send by, with their limits; what differs is whose it is and where it
goes (`files.vault.outside`). Must never read a body before the door was found open.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.conf import settings
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    UnreadablePostError,
)
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.limits import LimitReached
from accounts.outside import guesses
from files.errors import FileTooLarge, RequestOver, UploadLost
from files.models import Sender
from files.sharing import senders
from files.vault import outside, storing
from files.vault.destinations import Destination
from files.web.outside.asked import UNKNOWN, Visit, at_the_door, visit_of
from files.web.transfers.bodies import declared_length
from files.web.transfers.forms import (
    BadTime,
    BodyTooShort,
    BodyTooSlow,
    NoForm,
    ReceivedFile,
    TooManyFiles,
    VaultUploadHandler,
)
from files.web.transfers.tus import operations, protocol
from files.web.upload_form import FORM_OVERHEAD
from runtime.slowness import slowness_of


class SenderUploadHandler(VaultUploadHandler):
    """As that of the upload page; what comes goes to the sender's own, whatever the form says."""

    def __init__(self, request: HttpRequest, sender: Sender) -> None:
        maker = sender.request.maker
        if maker is None:
            raise RequestOver
        super().__init__(request, maker)
        self._through = Destination.through(sender)

    def _destination(self, folder: str, conflict: str) -> Destination:
        return self._through


# As the upload page does: the token is in the body, and reading the body is what stores the files.
@csrf_exempt
@require_http_methods(["POST"])
@sensitive_variables()
@at_the_door
def send(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Several files in one form, streamed into the vault."""
    if visit.sender is None:
        return redirect(f"{reverse('asked', args=[visit.token])}?{UNKNOWN}")
    if declared_length(request) > settings.MAX_UPLOAD_SIZE + FORM_OVERHEAD:
        return refused(request, visit, FileTooLarge(settings.MAX_UPLOAD_SIZE), status=413)
    if request.content_type != "multipart/form-data":
        return refused(request, visit, NoForm(gettext("That is no form with files.")), status=415)
    handler = SenderUploadHandler(request, visit.sender)
    request.upload_handlers = [handler]
    try:
        request.POST  # noqa: B018  reads the whole body, through the handler
        return publish(request, visit, handler)
    except (BodyTooShort, UnreadablePostError, MultiPartParserError):
        if (slow := slowness_of(request)) is not None:
            return refused(request, visit, BodyTooSlow(slow), status=408)
        return refused(request, visit, BodyTooShort(), status=400)
    except (TooManyFiles, BadTime) as error:
        return refused(request, visit, error, status=400)
    except FileTooLarge as error:
        return refused(request, visit, error, status=413)
    except UploadLost as lost:
        outside.require_open(visit.asked)
        return refused(request, visit, lost, status=409)
    finally:
        handler.abort()


def refused(request: HttpRequest, visit: Visit, error: Exception, *, status: int) -> HttpResponse:
    """The page again, which says why nothing was stored."""
    return answer(request, visit, [("", error)], status=status)


def answer(
    request: HttpRequest, visit: Visit, problems: list[tuple[str, Any]], *, status: int
) -> HttpResponse:
    """The page with what was refused; what was stored beside it is on the receipt."""
    context = {
        "asked": visit.asked,
        "token": visit.token,
        "sender": visit.sender,
        "left": outside.left_of(visit.asked),
        "files_left": outside.files_left_of(visit.asked),
        "problems": [(name, str(error)) for name, error in problems],
    }
    return page(request, context, status=status)


@csrf_protect
def page(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    """Protected only so that its form gets a token."""
    if request.method == "POST":
        request.method = "GET"
    return render(request, "outside/asked_send.html", context, status=status)


@csrf_protect
def publish(request: HttpRequest, visit: Visit, handler: SenderUploadHandler) -> HttpResponseBase:
    """Turn what has come into files, now that the form's token has been checked."""
    files = [file for file in request.FILES.getlist("files") if isinstance(file, ReceivedFile)]
    handler.date(files, request.POST.getlist("modified"))
    if not files and not handler.refused:
        text = gettext("Choose at least one file.")
        return answer(request, visit, [("", text)], status=400)
    storing.publish([file.upload for file in files])
    _mark(visit)
    if handler.refused:
        too_large = any(isinstance(error, FileTooLarge) for _name, error in handler.refused)
        return answer(request, visit, list(handler.refused), status=413 if too_large else 400)
    return redirect("asked_receipt", token=visit.token)


def _mark(visit: Visit) -> None:
    """What has just come was sent by this browser: it is on its receipt."""
    if visit.sender is not None:
        senders.mark_browser(visit.sender, visit.browser)


# --- tus ----------------------------------------------------------------------------------------


@sensitive_variables()
def _visit(request: HttpRequest, token: str) -> tuple[Visit, Sender]:
    """Who sends; programs get a status, and no page."""
    visit = visit_of(request, token)
    if visit is None:
        try:
            guesses.note_unknown(request)
        except LimitReached as reached:
            raise protocol.Refusal(429, str(reached), Retry_After=str(reached.wait)) from None
        raise RequestOver
    if visit.sender is None:
        text = gettext("Open the page of the request first, and say who you are.")
        raise protocol.Refusal(403, text)
    return visit, visit.sender


def _kept(visit: Visit, response: HttpResponse) -> HttpResponse:
    _mark(visit)
    visit.keep(response)
    return response


@protocol.answering
@sensitive_variables()
def uploads(request: HttpRequest, token: str) -> HttpResponse:
    """What the server can do, and new uploads."""
    method = protocol.method_of(request)
    if method == "OPTIONS":
        return protocol.options()
    visit, sender = _visit(request, token)
    if method != "POST":
        return HttpResponseNotAllowed(["OPTIONS", "POST"])
    address = partial(_address, token)
    return _kept(visit, operations.create(request, sender=sender, address=address))


def _address(token: str, upload_id: uuid.UUID) -> str:
    return reverse("asked_upload", args=[token, upload_id])


@protocol.answering
@sensitive_variables()
def upload(request: HttpRequest, token: str, upload_id: uuid.UUID) -> HttpResponse:
    """One upload, for who began it."""
    method = protocol.method_of(request)
    if method == "OPTIONS":
        return protocol.options()
    visit, sender = _visit(request, token)
    methods = {"HEAD": operations.head, "PATCH": operations.patch, "DELETE": operations.delete}
    handle = methods.get(method)
    if handle is None:
        return HttpResponseNotAllowed(["OPTIONS", *methods])
    try:
        return _kept(visit, handle(request, upload_id, sender))
    except (UploadLost, Http404):
        # Where the request has ended meanwhile, that is why.
        outside.require_open(visit.asked)
        raise
