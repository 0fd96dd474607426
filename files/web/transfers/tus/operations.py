"""POST, HEAD, PATCH and DELETE: what is asked of one upload, by its creator alone.

Must never tell anybody else that it exists.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Final, cast

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import User
from files.access import rule
from files.access.principals import Program
from files.crypto.digests import EMPTY
from files.errors import OtherContent, RequestOver, UploadLost, WrongOffset
from files.folders import making
from files.models import Custody, Sender, StoredObject, UploadSession
from files.sharing import denials
from files.tree import placing
from files.vault import held, resumable, upload_leases
from files.vault.destinations import Destination
from files.web.requested import principal_of
from files.web.transfers.bodies import declared_length
from files.web.transfers.destinations import destination, way_of
from files.web.transfers.tus import headers
from files.web.transfers.tus.answers import chain_of, file_of, state
from files.web.transfers.tus.protocol import CHAIN, CONTENT_TYPE, EXPECTED, Refusal
from files.web.transfers.tus.receiving import receive

FORMS: Final = ("multipart/form-data", "application/x-www-form-urlencoded")
"""Bodies that programs add to a POST by themselves: no bytes of a file, and the answer says so."""
SECRETS: Final = frozenset({"key", "passphrase", "password", "secret"})


def session_of(
    request: HttpRequest, upload_id: uuid.UUID, sender: Sender | None = None
) -> UploadSession:
    """The user's own upload, or the sender's who has come with a request.

    404 for any other, 410 for one that has expired or was given up.
    """
    found = UploadSession.objects.select_related("object").filter(pk=upload_id)
    session: UploadSession | None
    if sender is not None:
        session = found.filter(sender=sender.pk).first()
        if session is None:
            raise Http404
    else:
        session = _of_user(request, found).first()
        if session is None:
            denials.note_upload(cast("User", request.user), upload_id)
            raise Http404
    if session.expires_at <= timezone.now():
        raise Refusal(410, "This upload has expired. Please upload again.")
    if not session.completed_at and session.object.state != StoredObject.State.WRITING:
        raise UploadLost
    return session


def _of_user(
    request: HttpRequest, found: QuerySet[UploadSession, UploadSession]
) -> QuerySet[UploadSession, UploadSession]:
    """Those of these uploads that are the user's own: not what is sent through their requests."""
    own = found.filter(owner=cast("User", request.user), sender=None)
    who = principal_of(request)
    if isinstance(who, Program) and who.folder is not None:
        # What its person uploads elsewhere is none of its business.
        own = own.filter(folder__in=rule.addable_by(who).values("pk"))
    return own


def create(
    request: HttpRequest,
    *,
    sender: Sender | None = None,
    address: Callable[[uuid.UUID], str] | None = None,
) -> HttpResponse:
    """POST: a new upload, with its first bytes where the request has a body of them.

    Of a `sender` who has come with a request it goes into their folder. `address` is where it is
    continued, if not at `/uploads/`.
    """
    length = headers.upload_length(request)
    raw = request.headers.get("Upload-Metadata", "")
    metadata = headers.parse_metadata(raw)
    modified_at = headers.modified_at(metadata)
    in_custody = metadata.get("custody") or Custody.MANAGED
    if in_custody not in Custody:
        raise Refusal(400, "The custody of a file is managed or held.")
    if SECRETS & {name.lower() for name in metadata}:
        # It is stored, and told to whoever asks for the upload: no place for a secret.
        raise Refusal(400, "Upload-Metadata must not hold a key or a passphrase. Nothing was kept.")
    at_once = length == 0 or request.content_type == CONTENT_TYPE
    if declared_length(request) and request.content_type not in {CONTENT_TYPE, *FORMS}:
        raise Refusal(415, f"Send the bytes as {CONTENT_TYPE}. Nothing was stored.")
    for header in ("Upload-Checksum", EXPECTED):
        if header in request.headers and not at_once:
            raise Refusal(400, f"{header} belongs to bytes, and none were sent.")
    way: list[str] = []
    if sender is not None:
        user, meant = _through(sender, metadata)
    else:
        user, who = cast("User", request.user), principal_of(request)
        meant = destination(
            who, folder=metadata.get("folder", ""), conflict=metadata.get("conflict", "")
        )
        way = way_of(metadata.get("path", ""))
    # An upload that is refused makes no folders.
    with transaction.atomic() if way else nullcontext():
        if way:
            below = meant.folder or placing.root_of(user)
            folder = making.make_path(below, way, by=principal_of(request), actor=user)
            meant = replace(meant, folder=folder)
        session = resumable.create(
            user,
            name=metadata.get("filename", "unnamed"),
            content_type=metadata.get("filetype"),
            length=length,
            metadata=raw,
            in_custody=Custody(in_custody),
            modified_at=modified_at,
            destination=meant,
            leased=at_once,
        )
    if at_once:
        try:
            response = receive(request, session, 0, status=201, first=True)
        except BaseException:
            # The client learns no address, so nobody could ever continue it.
            resumable.terminate(session)
            raise
    else:
        response = state(session, None, status=201, chain=EMPTY)
    at = address(session.pk) if address is not None else reverse("upload", args=[session.pk])
    response["Location"] = request.build_absolute_uri(at)
    return response


def _through(sender: Sender, metadata: dict[str, str]) -> tuple[User, Destination]:
    """Where it goes what somebody outside sends, and for whom: they choose neither."""
    if metadata.get("custody") == Custody.HELD:
        raise Refusal(400, gettext("What is sent here is kept by the server. Nothing was stored."))
    if metadata.get("folder") or metadata.get("path"):
        raise Refusal(
            400, gettext("Send files without their folders: pack these first. Nothing was stored.")
        )
    maker = sender.request.maker
    if maker is None:
        raise RequestOver
    return maker, Destination.through(sender)


def head(request: HttpRequest, upload_id: uuid.UUID, sender: Sender | None = None) -> HttpResponse:
    """HEAD: how many bytes are safe, and which: their content chain."""
    session = upload_leases.settled(session_of(request, upload_id, sender))
    response = state(session, file_of(session), status=200, chain=chain_of(session))
    if session.length is None:
        response["Upload-Defer-Length"] = "1"
    else:
        response["Upload-Length"] = str(session.length)
    if session.metadata:
        response["Upload-Metadata"] = session.metadata
    return response


def patch(request: HttpRequest, upload_id: uuid.UUID, sender: Sender | None = None) -> HttpResponse:
    """PATCH: the next bytes."""
    if request.content_type != CONTENT_TYPE:
        raise Refusal(415, f"Send the bytes as {CONTENT_TYPE}.")
    session = session_of(request, upload_id, sender)
    offset = headers.number(request, "Upload-Offset")
    length = (
        headers.number(request, "Upload-Length") if "Upload-Length" in request.headers else None
    )
    if not session.completed_at:
        return receive(request, session, offset, length=length, status=204)
    # The answer that said so was lost.
    if offset != session.offset:
        raise WrongOffset(session.offset)
    if declared_length(request):
        raise Refusal(413, "This upload is complete.")
    chain = chain_of(session)
    for header in (CHAIN, EXPECTED):
        if chain is not None and headers.content_chain(request, header) not in (None, chain):
            raise OtherContent(offset, chain, at_once=True)
    return state(session, file_of(session), status=204, chain=chain)


def delete(
    request: HttpRequest, upload_id: uuid.UUID, sender: Sender | None = None
) -> HttpResponse:
    """DELETE: give the upload up; of a complete one, say that its key was received."""
    session = session_of(request, upload_id, sender)
    if session.custody == Custody.HELD and (stored := file_of(session)):
        held.confirm(stored, actor=session.owner)
    resumable.terminate(session)
    return HttpResponse(status=204)
