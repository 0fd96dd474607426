"""The body of a request, as its headers announce it. Nothing here reads it."""

from __future__ import annotations

import re

from django.core.exceptions import BadRequest
from django.http import HttpRequest

_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)


def declared_length(request: HttpRequest) -> int:
    """Bytes that Content-Length announces; 0 without one.

    Raises BadRequest for anything but digits (RFC 9110, 8.6): a server that lets it through may
    have taken another length for the body than we would.
    """
    text = request.META.get("CONTENT_LENGTH") or "0"
    if not _DIGITS.fullmatch(text):
        raise BadRequest("Content-Length is not a number of bytes.")
    return int(text)
