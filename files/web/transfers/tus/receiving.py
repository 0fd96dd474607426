"""The bytes of one request on their way into the upload.

Must never hold more than a chunk of them, nor keep what is not what its client has announced.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from files.models import UploadSession
from files.vault import continuing
from files.web.transfers.bodies import declared_length
from files.web.transfers.tus import headers
from files.web.transfers.tus.answers import state
from files.web.transfers.tus.protocol import CHAIN, EXPECTED, Refusal
from runtime import slowness

CHUNK: Final = 256 * 1024


def receive(
    request: HttpRequest,
    session: UploadSession,
    offset: int,
    *,
    status: int,
    length: int | None = None,
    first: bool = False,
) -> HttpResponse:
    """Stream the body into the upload, and answer where it stands."""
    expected = declared_length(request)
    limit = length if session.length is None else session.length
    at_most = settings.MAX_UPLOAD_SIZE if limit is None else limit
    if offset + expected > at_most:
        raise Refusal(
            413,
            f"This upload may have {at_most} bytes, and with the announced ones it would have "
            f"{offset + expected}.",
        )
    digest, checksum = headers.checksum(request)
    expected_chain = headers.content_chain(request, EXPECTED)
    with continuing.Continuation(
        session,
        offset,
        length=length,
        provisional=digest is not None,
        first=first,
        chain=headers.content_chain(request, CHAIN),
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
    return state(turn.session, stored, status=status, chain=turn.chain)


def _read(request: HttpRequest, size: int) -> bytes:
    try:
        return request.read(size)
    except UnreadablePostError:
        # The client has gone, or is too slow. What arrived before is as good as any other.
        return b""
