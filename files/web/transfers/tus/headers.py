"""The headers of one request of tus, as values. Each raises a Refusal that says what is wrong.

Must never guess what a client meant.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest

from files.crypto.digests import LENGTH
from files.web.transfers import structured
from files.web.transfers.moments import parse_moment
from files.web.transfers.tus.protocol import CHECKSUMS, Refusal

MAX_METADATA: Final = 8 * 1024
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_MOST_DIGITS = 19
_METADATA_KEY = re.compile(r"[!-+\--~]+")


def number(request: HttpRequest, name: str) -> int:
    """A number of bytes; one of more digits than any file may have is still a number."""
    text = request.headers.get(name, "")
    if not text:
        raise Refusal(400, f"{name} is missing: send it, as a number of bytes.")
    if not _DIGITS.fullmatch(text):
        raise Refusal(400, f"{name} must be a number of bytes, in digits.")
    digits = text.lstrip("0") or "0"
    # More than any file may have is refused as that, and not as no number.
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def upload_length(request: HttpRequest) -> int | None:
    """The declared length of the upload in bytes; None where it is to be declared later."""
    deferred = request.headers.get("Upload-Defer-Length")
    if deferred is None:
        return number(request, "Upload-Length")
    if deferred != "1" or "Upload-Length" in request.headers:
        raise Refusal(400, "Send either Upload-Length, or Upload-Defer-Length: 1.")
    return None


def checksum(request: HttpRequest) -> tuple[Any, bytes]:
    """The digest to be fed with the bytes, and what it must come to; None where none was sent."""
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


def content_chain(request: HttpRequest, name: str) -> bytes | None:
    """The content chain in the header of this name, 32 bytes; None where it was not sent."""
    header = request.headers.get(name)
    if header is None:
        return None
    chain = structured.parse_byte_sequence(header)
    if chain is None or len(chain) != LENGTH:
        raise Refusal(400, f"{name} must be the {LENGTH} bytes of a content chain, as :base64:.")
    return chain


def modified_at(metadata: dict[str, str]) -> datetime | None:
    """When the original was last changed, as its client says."""
    text = metadata.get("modified")
    if not text:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        raise Refusal(400, f"The metadata `modified` is not usable: {error}") from None


def parse_metadata(header: str) -> dict[str, str]:
    """The values of `Upload-Metadata` by their keys."""
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
