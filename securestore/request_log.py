"""One line of the log for each request, when its answer has gone out or was given up.

It has the route and never the path, the query or a name: a path may hold a secret (the link that
resets a password), a query what somebody searched for. Asks the database nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, empty

from securestore import metrics

log = logging.getLogger("securestore.requests")

GetResponse = Callable[[HttpRequest], HttpResponseBase]
IDS = ("file_id", "upload_id")
"""What routes call the ids that are worth a key of their own in the line."""


class RequestLogMiddleware:
    """Must be the outermost: it measures all the others, and sees what they answered."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.monotonic()
        response = self.get_response(request)
        body: Counted | None = None
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            response.streaming_content = body = Counted(response.streaming_content)

        def end() -> None:
            sent = _size(request, response) if body is None else body.total
            write(request, response, begun, sent)

        # Closed by the server when all of it was sent, or the client has gone (PEP 3333).
        response._resource_closers.append(end)  # type: ignore[attr-defined]
        return response


def _size(request: HttpRequest, response: HttpResponseBase) -> int:
    if request.method == "HEAD":
        return 0
    if isinstance(response, HttpResponse):
        return len(response.content)
    return int(response.get("Content-Length") or 0)


class Counted:
    """An iterator of bytes that knows how many it has given."""

    def __init__(self, chunks: Any) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self.total = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.total += len(chunk)
        return chunk


def write(request: HttpRequest, response: HttpResponseBase, begun: float, sent: int) -> None:
    """Write the line of a request that has ended."""
    seconds = time.monotonic() - begun
    route = route_of(request, response)
    fields: dict[str, Any] = {
        "request_id": response.get("X-Request-ID", ""),
        "user_id": known_user(request),
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "duration_ms": round(seconds * 1000),
        "bytes": sent,
        "received": _length(request),
    }
    known = request.resolver_match
    for name in IDS:
        value = known.kwargs.get(name) if known else None
        if isinstance(value, UUID):
            fields[name] = str(value)
    metrics.note_request(request.method or "", route, response.status_code, seconds)
    log.info(
        "%s %s %s, %s bytes in %s ms",
        *(request.method, route, response.status_code, sent, fields["duration_ms"]),
        extra={"fields": fields},
    )


def known_user(request: HttpRequest) -> int | None:
    """The id of the signed-in user if somebody has asked who it is: the log is no reason to."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, LazyObject) and object.__getattribute__(user, "_wrapped") is empty:
        return None
    return user.pk if user is not None else None


def route_of(request: HttpRequest, response: HttpResponseBase) -> str:
    """The name of the view that was asked for; of what has none, its kind."""
    known = request.resolver_match
    if known is not None:
        return known.view_name or known.route
    return "static" if isinstance(response, FileResponse) else "none"


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
