"""What every request and answer of tus has: version, known headers, a status for each refusal.

Must never let a header pass whose meaning is not known here: it may say that the bytes are
something else than a file from its beginning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse

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
from files.records.names import BadName
from files.web.transfers import structured

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum"
)
# SHA-1 is what the protocol asks every server for; it finds accidents, and is no security.
CHECKSUMS: Final = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
CONTENT_TYPE: Final = "application/offset+octet-stream"
CHAIN: Final = "Upload-Content-Chain"
"""The content chain of the first `Upload-Offset` bytes: told by both sides."""
EXPECTED: Final = "Upload-Expected-Chain"
"""Of a request with bytes: the content chain of the upload after them."""
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
