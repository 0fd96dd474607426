"""A running transfer is a sign of life of its session, in the middle of its one request, too.

A download or an upload may take longer than a session may be idle, and is one request for all that
time. So while bytes pass, in or out, the session is noted as in use, at most once a minute
(`sessions.note`): one short write, for which the thread takes a connection and gives it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from accounts import sessions

LOOKED_EVERY = 1.0
"""Seconds between two looks whether it is to be noted: pieces come by the thousand."""


class Sign:
    """Called for each piece of a transfer: its session is in use."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._looks_at = 0.0

    def __call__(self) -> None:
        now = monotonic()
        if now >= self._looks_at:
            self._looks_at = now + LOOKED_EVERY
            sessions.note_again(self._request)


class Receiving:
    """The body of a request, whose reader is alive."""

    def __init__(self, request: HttpRequest, body: Any) -> None:
        self._is_alive = Sign(request)
        self._body = body

    def __getattr__(self, name: str) -> Any:
        # Read, one way or another: there is nothing else to ask of it.
        self._is_alive()
        return getattr(self._body, name)


class Sending:
    """The body of an answer, whose receiver is alive: it has asked for more."""

    def __init__(self, request: HttpRequest, chunks: Iterable[bytes]) -> None:
        self._is_alive = Sign(request)
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._is_alive()
        return next(self._chunks)


def follow_body(request: HttpRequest) -> None:
    """Note the session while the request's body is read. Before anybody has read of it."""
    inner: Any = request
    inner._stream = Receiving(request, inner._stream)


def follow_answer(request: HttpRequest, response: HttpResponseBase) -> None:
    """Note the session while a streamed answer is sent."""
    if isinstance(response, StreamingHttpResponse) and not response.is_async:
        chunks: Any = response.streaming_content
        response.streaming_content = Sending(request, chunks)
