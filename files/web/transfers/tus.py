"""The tus protocol, version 1.0.0 (https://tus.io/protocols/resumable-upload), over HTTP.

Extensions: creation, creation-with-upload, creation-defer-length, termination, expiration,
checksum. Parses and answers; what an upload is and what becomes of its bytes is `resumable`'s.
Only its creator can see an upload: everybody else gets the 404 of one that does not exist.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.urls import reverse
from django.utils import timezone
from django.utils.http import http_date
from django.utils.translation import gettext

from accounts.models import User
from files import access
from files.access import Permission, Person, Program
from files.crypto.digests import EMPTY, LENGTH
from files.errors import (
    FileTooLarge,
    MayNotAdd,
    NameTaken,
    NoSuchFolder,
    OtherContent,
    RequestOver,
    TooDeep,
    TooManyUploads,
    UploadBusy,
    UploadLost,
    WrongLength,
    WrongOffset,
)
from files.folders import making
from files.models import (
    Custody,
    FileRecord,
    KeptVersion,
    Sender,
    StoredObject,
    UploadSession,
)
from files.records.names import BadName
from files.sharing import denials
from files.tree import placing
from files.vault import continuing, held, resumable, upload_leases, upload_state, versions
from files.vault.destinations import Destination
from files.web.requested import principal_of
from files.web.transfers import structured
from files.web.transfers.bodies import declared_length
from files.web.transfers.destinations import destination, way_of
from files.web.transfers.moments import parse_moment
from runtime import slowness

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum"
)
# SHA-1 is what the protocol asks every server for; it finds accidents, and is no security.
CHECKSUMS: Final = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
CONTENT_TYPE: Final = "application/offset+octet-stream"
FORMS: Final = ("multipart/form-data", "application/x-www-form-urlencoded")
"""Bodies that programs add to a POST by themselves: no bytes of a file, and the answer says so."""
CHUNK: Final = 256 * 1024
MAX_METADATA: Final = 8 * 1024
SECRETS: Final = frozenset({"key", "passphrase", "password", "secret"})
CHAIN: Final = "Upload-Content-Chain"
"""The content chain of the first `Upload-Offset` bytes: told by both sides."""
EXPECTED: Final = "Upload-Expected-Chain"
"""Of a request with bytes: the content chain of the upload after them."""
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_MOST_DIGITS = 19
_METADATA_KEY = re.compile(r"[!-+\--~]+")
HEADERS: Final = {
    "POST": frozenset(
        {"Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Checksum", EXPECTED}
    ),
    "PATCH": frozenset({"Upload-Offset", "Upload-Length", "Upload-Checksum", CHAIN, EXPECTED}),
}
"""What of the protocol's headers a request with bytes may carry. Any other one, of an extension or
of another protocol (draft-ietf-httpbis-resumable-upload), may say that its bytes are something else
than a file from its beginning."""


class Refusal(Exception):
    """The request is answered with this status and text."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answering(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Check the version, turn refusals into answers, and add what every answer carries."""

    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
                raise Refusal(412, "Send Tus-Resumable: 1.0.0.", Tus_Version=VERSION)
            _refuse_unknown_headers(request)
            response = view(request, *args, **kwargs)
        except Refusal as refusal:
            response = _plain(refusal.status, str(refusal))
            for name, value in refusal.headers.items():
                response[name] = value
        except FileTooLarge as error:
            response = _plain(413, str(error))
        except TooManyUploads as error:
            response = _plain(429, str(error))
        except (BadName, BadRequest, TooDeep, WrongLength) as error:
            response = _plain(400, str(error))
        except WrongOffset as error:
            response = _plain(409, str(error))
            response["Upload-Offset"] = str(error.offset)
        except OtherContent as error:
            response = _plain(409 if error.at_once else 460, str(error))
            response["Upload-Offset"] = str(error.offset)
            if error.chain is not None:
                response[CHAIN] = structured.byte_sequence(error.chain)
        except UploadBusy as error:
            response = _plain(423, str(error))
            response["Retry-After"] = "1"
        except UploadLost as error:
            response = _plain(410, str(error))
        except NameTaken as error:
            response = _plain(409, str(error))
        except MayNotAdd as error:
            response = _plain(403, str(error))
        except RequestOver as error:
            response = _plain(404, str(error))
        except (Http404, NoSuchFolder) as error:
            response = _plain(404, str(error) or "There is no such upload.")
        response["Tus-Resumable"] = VERSION
        response["Cache-Control"] = "no-store"
        return response

    return answered


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")


def method_of(request: HttpRequest) -> str:
    """The method that is meant (tus 1.0.0, X-HTTP-Method-Override).

    Some proxies let only GET and POST through. `bodies.check` has refused it in a safe method.
    """
    return request.headers.get("X-HTTP-Method-Override") or request.method or ""


def _refuse_unknown_headers(request: HttpRequest) -> None:
    known = HEADERS.get(method_of(request), frozenset())
    for name in (name.title() for name in request.headers):
        if not name.startswith("Upload-") or name in known:
            continue
        if not any(name in each for each in HEADERS.values()):
            raise Refusal(
                501,
                f"{name} is not implemented: this server speaks tus {VERSION} with the extensions "
                f"{EXTENSIONS}. Nothing was stored.",
            )
        if known:
            raise Refusal(400, f"{name} has no meaning in this request. Nothing was stored.")


def options() -> HttpResponse:
    """What this server can do; needs no sign-in."""
    response = HttpResponse(status=204)
    response["Tus-Version"] = VERSION
    response["Tus-Extension"] = EXTENSIONS
    response["Tus-Max-Size"] = str(settings.MAX_UPLOAD_SIZE)
    response["Tus-Checksum-Algorithm"] = ",".join(CHECKSUMS)
    return response


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
        own = own.filter(folder__in=access.addable_by(who).values("pk"))
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
    length = _declared_length(request)
    raw = request.headers.get("Upload-Metadata", "")
    metadata = _parse_metadata(raw)
    modified_at = _modified(metadata)
    in_custody = metadata.get("custody") or Custody.MANAGED
    if in_custody not in Custody:
        raise Refusal(400, "The custody of a file is managed or held.")
    if SECRETS & {name.lower() for name in metadata}:
        # It is stored, and told to whoever asks for the upload: no place for a secret.
        raise Refusal(400, "Upload-Metadata must not hold a key or a passphrase. Nothing was kept.")
    at_once = length == 0 or request.content_type == CONTENT_TYPE
    if _body_length(request) and request.content_type not in {CONTENT_TYPE, *FORMS}:
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
            response = _receive(request, session, 0, status=201, first=True)
        except BaseException:
            # The client learns no address, so nobody could ever continue it.
            resumable.terminate(session)
            raise
    else:
        response = _state(session, None, status=201, chain=EMPTY)
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
    response = _state(session, _file_of(session), status=200, chain=_chain_of(session))
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
    offset = _number(request, "Upload-Offset")
    length = _number(request, "Upload-Length") if "Upload-Length" in request.headers else None
    if not session.completed_at:
        return _receive(request, session, offset, length=length, status=204)
    # The answer that said so was lost.
    if offset != session.offset:
        raise WrongOffset(session.offset)
    if _body_length(request):
        raise Refusal(413, "This upload is complete.")
    chain = _chain_of(session)
    for header in (CHAIN, EXPECTED):
        if chain is not None and _chain(request, header) not in (None, chain):
            raise OtherContent(offset, chain, at_once=True)
    return _state(session, _file_of(session), status=204, chain=chain)


def delete(
    request: HttpRequest, upload_id: uuid.UUID, sender: Sender | None = None
) -> HttpResponse:
    """DELETE: give the upload up; of a complete one, say that its key was received."""
    session = session_of(request, upload_id, sender)
    if session.custody == Custody.HELD and (stored := _file_of(session)):
        held.confirm(stored, actor=session.owner)
    resumable.terminate(session)
    return HttpResponse(status=204)


def _receive(
    request: HttpRequest,
    session: UploadSession,
    offset: int,
    *,
    status: int,
    length: int | None = None,
    first: bool = False,
) -> HttpResponse:
    """Stream the body into the upload, and answer where it stands."""
    expected = _body_length(request)
    limit = length if session.length is None else session.length
    at_most = settings.MAX_UPLOAD_SIZE if limit is None else limit
    if offset + expected > at_most:
        raise Refusal(
            413,
            f"This upload may have {at_most} bytes, and with the announced ones it would have "
            f"{offset + expected}.",
        )
    digest, checksum = _checksum(request)
    expected_chain = _chain(request, EXPECTED)
    with continuing.Continuation(
        session,
        offset,
        length=length,
        provisional=digest is not None,
        first=first,
        chain=_chain(request, CHAIN),
        coming=expected,
    ) as turn:
        received = 0
        while received < expected and (data := _read(request, min(CHUNK, expected - received))):
            turn.write(data)
            received += len(data)
            if digest is not None:
                digest.update(data)
        if digest is not None and (received < expected or digest.digest() != checksum):
            raise Refusal(460, "The checksum does not match the bytes: they were not kept.")
        # Of a body that was cut off nobody has said what it is.
        stored = turn.settle(expected=expected_chain if received == expected else None)
    # Where something came, it is told as after any cut: go on from there.
    if not received and not first and (slow := slowness.slowness_of(request)) is not None:
        raise Refusal(408, str(slow), Upload_Offset=str(turn.session.offset))
    return _state(turn.session, stored, status=status, chain=turn.chain)


def _read(request: HttpRequest, size: int) -> bytes:
    try:
        return request.read(size)
    except UnreadablePostError:
        # The client has gone, or is too slow. What arrived before is as good as any other.
        return b""


def _chain_of(session: UploadSession) -> bytes | None:
    """The content chain to tell; of a complete upload to those alone who may have its bytes.

    And to who sent them from outside, whose upload it is: it says nothing that they did not send.
    """
    own = session.sender_id is not None
    if session.completed_at and not own and not session.owner.has_perm(Permission.DOWNLOAD):
        return None
    return upload_state.chain_of(session)


def _state(
    session: UploadSession, stored: FileRecord | None, *, status: int, chain: bytes | None
) -> HttpResponse:
    response = HttpResponse(status=status)
    response["Upload-Offset"] = str(session.offset)
    if chain is not None:
        response[CHAIN] = structured.byte_sequence(chain)
    response["Upload-Expires"] = http_date(session.expires_at.timestamp())
    # Who is outside sees nothing, not even where it is.
    if stored is not None and session.sender_id is None:
        _tell_place(response, session, stored)
        # Also to a client that asks again: the answer that completed the upload may be lost.
        if stored.is_held and (key := held.just_made(stored, actor=session.owner)):
            response["Securestore-Key"] = key
            response["Securestore-Key-File"] = quote(stored.key_file_name, safe="")
    return response


def _tell_place(response: HttpResponse, session: UploadSession, stored: FileRecord) -> None:
    """Which file it is; its name and its folder, where they are not what the client asked for."""
    response["Securestore-File"] = str(stored.pk)
    if stored.name != session.name:
        response["Securestore-Name"] = quote(stored.name, safe="")
    told = _parse_metadata(session.metadata)
    meant = told.get("folder") or told.get("path")
    if meant and stored.folder_id not in {None, session.folder_id}:
        response["Securestore-Folder"] = str(stored.folder_id)


def _file_of(session: UploadSession) -> FileRecord | None:
    """The file of a complete upload; as it was then, where a newer version has come since."""
    if not session.completed_at or session.sender_id is not None:
        return None
    files = access.visible_to(Person(session.owner))
    file = files.filter(current=session.object_id).first()
    if file is not None:
        return file
    former = KeptVersion.objects.filter(object=session.object_id, file__in=files.values("pk"))
    kept = former.select_related("file", "object", "uploaded_by").first()
    if kept is None:
        raise Http404
    return versions.as_it_was(kept)


# --- Headers --------------------------------------------------------------------------------------


def _number(request: HttpRequest, name: str) -> int:
    text = request.headers.get(name, "")
    if not text:
        raise Refusal(400, f"{name} is missing: send it, as a number of bytes.")
    if not _DIGITS.fullmatch(text):
        raise Refusal(400, f"{name} must be a number of bytes, in digits.")
    digits = text.lstrip("0") or "0"
    # More than any file may have is refused as that, and not as no number.
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _declared_length(request: HttpRequest) -> int | None:
    deferred = request.headers.get("Upload-Defer-Length")
    if deferred is None:
        return _number(request, "Upload-Length")
    if deferred != "1" or "Upload-Length" in request.headers:
        raise Refusal(400, "Send either Upload-Length, or Upload-Defer-Length: 1.")
    return None


def _body_length(request: HttpRequest) -> int:
    return declared_length(request)


def _checksum(request: HttpRequest) -> tuple[Any, bytes]:
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None, b""
    algorithm, _, encoded = header.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise Refusal(400, f"Upload-Checksum must be one of {', '.join(CHECKSUMS)}.")
    try:
        return CHECKSUMS[algorithm](), base64.b64decode(encoded, validate=True)
    except ValueError:  # Not base64; or a header that is not even ASCII.
        raise Refusal(400, "Upload-Checksum must be base64.") from None


def _chain(request: HttpRequest, name: str) -> bytes | None:
    header = request.headers.get(name)
    if header is None:
        return None
    chain = structured.parse_byte_sequence(header)
    if chain is None or len(chain) != LENGTH:
        raise Refusal(400, f"{name} must be the {LENGTH} bytes of a content chain, as :base64:.")
    return chain


def _modified(metadata: dict[str, str]) -> datetime | None:
    text = metadata.get("modified")
    if not text:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        raise Refusal(400, f"The metadata `modified` is not usable: {error}") from None


def _parse_metadata(header: str) -> dict[str, str]:
    if len(header) > MAX_METADATA:
        raise Refusal(
            400,
            f"Upload-Metadata has {len(header)} characters, and may have {MAX_METADATA}. Nothing "
            "was kept.",
        )
    found: dict[str, str] = {}
    for pair in filter(None, (pair.strip() for pair in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except ValueError:  # Neither base64, nor UTF-8; or a header that is not even ASCII.
            raise Refusal(400, "Upload-Metadata must be base64 of UTF-8 text.") from None
        if not _METADATA_KEY.fullmatch(key) or key in found:
            raise Refusal(400, "Upload-Metadata must name each key once, in ASCII.")
        found[key] = text
    return found
