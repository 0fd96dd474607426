"""While bytes travel between server and client, no connection to the database is held.

A body arrives, and an answer leaves, as fast as the client pleases: a thread may have to wait for
it, and a connection must not. So before each wait for the client the thread's own is given back;
whoever needs one after that takes it from the pool again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

from runtime.connections import release

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Unheld:
    """A WSGI application whose bodies, in and out, hold no connection (PEP 3333)."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"] = Arriving(environ["wsgi.input"])
        return Leaving(self._application(environ, start_response))


class Arriving:
    """The body of a request."""

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body

    # Each of them by name: Django asks once for the method, and calls it for every piece.

    def read(self, *arguments: int) -> bytes:
        release()
        return self._body.read(*arguments)

    def readline(self, *arguments: int) -> bytes:
        release()
        return self._body.readline(*arguments)

    def readlines(self, *arguments: int) -> list[bytes]:
        release()
        return self._body.readlines(*arguments)

    def __iter__(self) -> Iterator[bytes]:
        lines = iter(self._body)
        while True:
            release()
            line = next(lines, None)
            if line is None:
                return
            yield line


class Leaving:
    """The body of an answer."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        self._chunks = iter(body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        release()
        return chunk

    def close(self) -> None:
        """The answer is over: whoever made it has to know."""
        if (close := getattr(self._body, "close", None)) is not None:
            close()
