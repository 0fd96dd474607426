"""The body of a request, as its headers announce it. Nothing here reads it.

A header can change what a body means: packed, a part of something, the end of something else. Who
ignores one keeps bytes as what they are not. So whatever this site does not do is refused in words
before a byte is read, at every door.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""A body has no meaning in these (RFC 9110, 9.3): nobody reads it."""

UPLOADS = "/uploads/"
"""Below it, bytes come by tus, which has headers of its own and says itself which it knows."""

FORM_WITH_FILES = "/files/upload/"
_OF_SENDERS = re.compile(r"/r/[^/]+/(uploads|send)/")
"""Below the address of a request: what people without an account send, by tus and by a form."""

API = "/api/"
_CONTENTS = re.compile(r"/api/v1/(?:content|folders/[0-9a-f-]{36}/content)/")
"""Below it a file comes as the whole body of a PUT."""

_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_NO_NUMBER = gettext_lazy("Content-Length is not a number of bytes.")

# Several ways to say the same thing; only the first is honoured, and by tus alone.
_OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
# RFC 9110, 13.1: to ignore one of these is to do what the client asked not to be done.
_CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")
_NO_CODING = frozenset({"", "identity", "binary", "8bit", "7bit"})


def is_tus(path: str) -> bool:
    """Whether bytes come there by tus, from inside or from outside."""
    found = _OF_SENDERS.match(path)
    return path.startswith(UPLOADS) or (found is not None and found[1] == "uploads")


def is_of_sender(path: str) -> bool:
    """Whether people outside send files there."""
    return _OF_SENDERS.match(path) is not None


def is_content(request: HttpRequest) -> bool:
    """Whether the body is a file, as it is."""
    return request.method == "PUT" and bool(_CONTENTS.match(request.path_info))


def is_streamed(request: HttpRequest) -> bool:
    """Whether the view reads the body itself, piece by piece, and nothing before it does."""
    path = request.path_info
    begun = path.startswith((UPLOADS, FORM_WITH_FILES)) or is_of_sender(path)
    return begun or is_content(request)


class Refused(BadRequest):
    """The request is answered with this status, title and text, which say what to do instead."""

    def __init__(self, status: int, title: str, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.title = title
        self.text = text
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def declared_length(request: HttpRequest) -> int:
    """Bytes that Content-Length announces; 0 without one.

    Raises BadRequest for anything but digits (RFC 9110, 8.6): a server that lets it through may
    have taken another length for the body than we would.
    """
    text = request.META.get("CONTENT_LENGTH") or "0"
    if not _DIGITS.fullmatch(text):
        raise BadRequest(_NO_NUMBER)
    return int(text)


def check(request: HttpRequest) -> None:
    """Raise Refused for a body, or a way to read it, that this site does not take.

    Looks at headers alone, so it costs nothing and comes before everything else.
    """
    if request.headers.get("Expect", "100-continue").lower() not in {"", "100-continue"}:
        raise Refused(
            417,
            gettext("That expectation cannot be met"),
            gettext("Expect may say 100-continue here and nothing else (RFC 9110, 10.1.1)."),
        )
    _check_override(request)
    if request.method in SAFE_METHODS:
        return
    _check_length(request)
    _check_coding(request)
    _check_parts(request)


def _check_override(request: HttpRequest) -> None:
    is_safe, by_tus = request.method in SAFE_METHODS, is_tus(request.path_info)
    if is_safe and not by_tus:
        return  # It is not asked to change anything, and does not.
    for name in _OVERRIDES:
        wanted = request.headers.get(name, request.method)
        # Never from a method that a page of elsewhere can have a browser send unasked.
        if wanted != request.method and (is_safe or not by_tus or name != _OVERRIDES[0]):
            raise Refused(
                405,
                gettext("Another method cannot be asked for by a header"),
                gettext(
                    "Nothing was done. %(name)s is not understood here: send %(wanted)s itself. "
                    "Resumable uploads at %(uploads)s understand %(overrides)s in POST."
                )
                % {"name": name, "wanted": wanted, "uploads": UPLOADS, "overrides": _OVERRIDES[0]},
                Allow=request.method or "",
            )


def _check_length(request: HttpRequest) -> None:
    coding = request.headers.get("Transfer-Encoding")
    if coding is not None and coding.strip().lower() != "chunked":
        raise Refused(
            501,
            gettext("That transfer coding is not known here"),
            gettext("Nothing was stored. Send the body as it is, with a Content-Length."),
        )
    # HTTP/2 and 3 frame a body without saying how long it will be.
    framed = not request.META.get("SERVER_PROTOCOL", "HTTP/1.1").startswith(("HTTP/0", "HTTP/1"))
    if coding is not None or (framed and not request.META.get("CONTENT_LENGTH")):
        # The end of one could not be told from a cut connection.
        raise Refused(
            411,
            gettext("The length of the request is missing"),
            gettext(
                "Nothing was stored. The body came without a Content-Length (in chunks, say), "
                "so that nobody could tell whether all of it arrived. Send it again with a "
                "Content-Length: programs add one when they are given a file, and not a pipe."
            ),
        )
    try:
        length = declared_length(request)
    except BadRequest:
        raise Refused(
            400,
            gettext("The length of the request makes no sense"),
            gettext("Nothing was stored. %(no_number)s Send it as digits, once.")
            % {"no_number": _NO_NUMBER},
        ) from None
    if length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE and not is_streamed(request):
        raise too_large(length)


def too_large(length: int | None = None) -> Refused:
    """The refusal of a form over the limit of what is kept in memory, announced or found so."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length is None:
        text = gettext("Nothing was stored. Beside its files, a form may have %(limit)s bytes.") % {
            "limit": limit
        }
        return Refused(400, gettext("That is more than a form may have"), text)
    return Refused(
        413,
        gettext("That is more than this page takes"),
        gettext(
            "Nothing was stored. It takes %(limit)s bytes, and %(length)s were announced. "
            "Files are uploaded on the page Upload."
        )
        % {"limit": limit, "length": length},
    )


def _check_coding(request: HttpRequest) -> None:
    for name in ("Content-Encoding", "Content-Transfer-Encoding"):
        refuse_coding(name, request.headers.get(name, ""))
    kind = request.content_type or ""
    parameters: dict[str, str] = request.content_params or {}
    charset = parameters.get("charset", "utf-8")
    if kind.startswith("multipart/") or kind == "application/x-www-form-urlencoded":
        refuse_charset(charset)


def refuse_coding(name: str, value: str) -> None:
    """Raise Refused where a body, or a part of it, is not as it is: packed, or base64."""
    for coding in value.lower().split(","):
        if coding.strip() not in _NO_CODING:
            raise Refused(
                415,
                gettext("Packed bodies are not taken"),
                gettext(
                    "Nothing was stored. This site does not undo a %(name)s, and would keep the "
                    "file as something else than it is. Send the bytes as they are, without that "
                    "header."
                )
                % {"name": name},
                Accept_Encoding="identity",
            )


def refuse_charset(charset: str) -> None:
    """Raise Refused for the text of a form in anything but UTF-8."""
    if charset.strip().lower() not in {"utf-8", "utf8"}:
        raise Refused(
            415,
            gettext("Forms are read as UTF-8"),
            gettext(
                "Nothing was stored. In another character set names and passphrases would "
                "become something else: send the form in UTF-8."
            ),
        )


def check_conditions(request: HttpRequest) -> None:
    """Raise Refused for a condition that would be left out of account.

    The API asks it itself, once it knows that there is an operation for the method at all.
    """
    if request.method in SAFE_METHODS:
        return
    kept = {"If-Match", "If-None-Match"} if is_content(request) else frozenset()
    for name in _CONDITIONS:
        if name in request.headers and name not in kept:
            raise Refused(
                501,
                gettext("That condition is not known here"),
                gettext("Nothing was done. %(name)s is not taken with %(method)s: leave it out.")
                % {"name": name, "method": request.method},
            )


def _check_parts(request: HttpRequest) -> None:
    if "Content-Range" in request.headers:
        # RFC 9110, 14.4: a part that is taken for the whole.
        raise Refused(
            400,
            gettext("A part of a file cannot be stored"),
            gettext(
                "Nothing was stored. Content-Range is not taken with a body: send the whole "
                "file, or continue an upload by tus at %(uploads)s."
            )
            % {"uploads": UPLOADS},
        )
    if not request.path_info.startswith(API):
        check_conditions(request)
    if is_tus(request.path_info):
        return
    for name in request.headers:
        # Tus-Resumable alone says what a client speaks, and changes nothing.
        if name.title().startswith("Upload-"):
            raise Refused(
                501,
                gettext("Resumable uploads have an address of their own"),
                gettext(
                    "Nothing was stored. %(name)s is not taken here: send resumable uploads by tus "
                    "to %(uploads)s."
                )
                % {"name": name, "uploads": UPLOADS},
            )
