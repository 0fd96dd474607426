"""The body of a `PUT` as it comes: all of its length, and what its digest says, or a refusal.

Never calls a body whole that is not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from django.http import (
    HttpRequest,
    UnreadablePostError,
)

from files.web.api.problems import Problem
from files.web.transfers.structured import parse_byte_sequence
from runtime import slowness

CHUNK: Final = 256 * 1024
_DIGEST = re.compile(r"(?:^|,)\s*sha-256\s*(?:=\s*([^,;]*))?", re.IGNORECASE)


def received(request: HttpRequest, length: int) -> Iterator[bytes]:
    """All of the body as it comes. Raises Problem in its end, where it is not what was declared."""
    wanted = _digest_in(request)
    digest, received = hashlib.sha256(), 0
    while received < length and (data := _read(request, min(CHUNK, length - received))):
        received += len(data)
        if wanted is not None:
            digest.update(data)
        yield data
    if received < length:
        if (slow := slowness.slowness_of(request)) is not None:
            raise Problem("too_slow", f"{slow} Nothing was stored.")
        raise Problem("body_incomplete", f"{received} of {length} bytes came. Nothing was stored.")
    if wanted is not None and digest.digest() != wanted:
        raise Problem(
            "digest_mismatch", "What came is not what its digest says. Nothing was stored."
        )


def _read(request: HttpRequest, size: int) -> bytes:
    try:
        return request.read(size)
    except UnreadablePostError:
        return b""


def _digest_in(request: HttpRequest) -> bytes | None:
    """SHA-256 of the body, as its client says it (RFC 9530); of other kinds nothing is known.

    Raises Problem where it is none: who sent it counts on its being compared.
    """
    found_all: set[bytes] = set()
    # Bodies are taken as they are: both are digests of the same bytes.
    for name in ("Repr-Digest", "Content-Digest"):
        header = request.headers.get(name)
        if header is not None and not header.strip():
            # Of one that is not ASCII the server leaves nothing.
            raise Problem("invalid", f"{name} is empty, or is not ASCII.")
        if header is None or (found := _DIGEST.search(header)) is None:
            continue
        digest = parse_byte_sequence(found[1] or "")
        if digest is None or len(digest) != hashlib.sha256().digest_size:
            raise Problem("invalid", f"{name} is not the SHA-256 of anything.")
        found_all.add(digest)
    if len(found_all) > 1:
        raise Problem("invalid", "Repr-Digest and Content-Digest are of two different bodies.")
    return found_all.pop() if found_all else None
