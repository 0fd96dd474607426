"""Whoever is answered before all of their body has come gets to read that answer.

A body that is refused by its headers, or by who sends it, is not read. Were the connection closed
at once, what still comes would meet a closed door, and the client's system, or the proxy's, would
throw the answer away for it: people would see "connection reset" or a 502 in place of the words
that say what to do. So once the answer is out, what comes is read on and forgotten, for a few
seconds at most, until the client has understood. (RFC 9112, 9.6; nginx calls it lingering.)

Must never wait for a client that sends nothing, nor in a crowd: a thread waits here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from runtime.slowness import WATCH, Body

SECONDS: Final = 10.0
"""For how long what comes is read on, at most."""

PATIENCE: Final = 2.0
"""Seconds for a piece: who sends nothing has understood, or has gone."""

PIECE: Final = 65536
"""Bytes."""

CROWD: Final = 16
"""So many requests that wait for their bodies leave no thread to linger with."""


class Lingering:
    """A WSGI application whose answers are not lost on who is still sending.

    Must stand outside of what watches bodies (`slowness.Patient`), and of what lets go of
    connections (`connection_release.Unheld`).
    """

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        answer = self._application(environ, start_response)
        body = environ["wsgi.input"]
        if not isinstance(body, Body) or body.taken >= (length := _declared(environ)):
            return answer
        if not body.taken and "HTTP_EXPECT" in environ:
            # It asked first, and is told: it will send none of it (RFC 9110, 10.1.1).
            return answer
        return Answer(answer, body, length)


def _declared(environ: dict[str, Any]) -> int:
    """The body's bytes, as its headers say; what is no number was refused elsewhere."""
    length = environ.get("CONTENT_LENGTH") or ""
    return int(length) if length.isascii() and length.isdigit() else 0


class Answer:
    """An answer after which what is left of the request's body is read."""

    def __init__(self, answer: Iterable[bytes], body: Body, length: int) -> None:
        self._answer = answer
        self._chunks = iter(answer)
        self._body = body
        self._length = length
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            self._read_on()
            raise

    def _read_on(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._body.patience = PATIENCE
        until = time.monotonic() + SECONDS
        try:
            while (left := self._length - self._body.taken) > 0 and time.monotonic() < until:
                if WATCH.waiting() >= CROWD or not self._body.read(min(left, PIECE)):
                    return
        except OSError:
            # It has gone, or is too slow (`TooSlow`): the answer was there to be read.
            return

    def close(self) -> None:
        """The answer is over: whoever made it has to know (PEP 3333).

        Of one without a body, the web server asks for no chunk at all.
        """
        self._read_on()
        if (close := getattr(self._answer, "close", None)) is not None:
            close()
