"""A store with faults: a proxy on loopback before the real one, which breaks what it is told to.

It stands where a network, a load balancer or a worn disk would: connections are reset in the
middle of a body, answers are lost after the store has done its work, bytes flip. Requests pass
unchanged, so the store checks their signatures as ever. For tests only.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import urlsplit

from launcher.ports import LOOPBACK

PIECE = 64 * 1024
WAIT = 30
"""Seconds until a request, or a wait of a test, is given up."""


# --- What can go wrong ------------------------------------------------------------------------
@dataclass(frozen=True)
class Answer:
    """The store says this, and does nothing. With a code, in the words that S3 uses."""

    status: int
    code: str = ""


@dataclass(frozen=True)
class AnswerAfter:
    """The store does what it was asked to, and then says this: also 200, with an error in it."""

    status: int
    code: str


@dataclass(frozen=True)
class Delay:
    """The request waits for so many seconds, or until `heal`, before the store gets it."""

    seconds: float


@dataclass(frozen=True)
class Serve:
    """The store answers with these bytes, as if they were the object; and with this ETag.

    That is how it looks when objects are swapped or rolled back, or when an ETag lies.
    """

    data: bytes = field(repr=False)
    etag: str


@dataclass(frozen=True)
class Tag:
    """The answer is right, and its ETag is another."""

    etag: str


@dataclass(frozen=True)
class LoseAnswer:
    """The store does what it was asked to; its answer never arrives."""


@dataclass(frozen=True)
class Reset:
    """The connection is reset after so many bytes of the answer's body.

    A reset also throws away what the other side has received and not read yet.
    """

    after: int


@dataclass(frozen=True)
class EndEarly:
    """The connection is closed, as if all were well, after so many bytes of the answer's body."""

    after: int


@dataclass(frozen=True)
class Flip:
    """One bit of the object flips on its way: of the byte at this offset of the object."""

    offset: int


Fault: TypeAlias = Answer | AnswerAfter | Delay | LoseAnswer | Reset | EndEarly | Flip | Serve | Tag


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    target: str
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """The value of a header, or nothing."""
        found = re.search(rb"(?im)^" + name.encode() + rb":[ \t]*(.*?)\r$", self.head)
        return found[1].decode("latin-1") if found else ""

    @property
    def first_byte(self) -> int:
        """Where in the object the answer begins."""
        found = re.match(r"bytes=(\d+)-", self.header("Range"))
        return int(found[1]) if found else 0


@dataclass
class _Rule:
    fault: Fault
    applies: Callable[[Request], bool]
    times: int


class FaultyStore(ThreadingTCPServer):
    """The proxy. Use as a context manager; `endpoint_url` takes the place of the store's own."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, endpoint_url: str) -> None:
        """Stand before the store at `endpoint_url`."""
        store = urlsplit(endpoint_url)
        self.store_address = (store.hostname or LOOPBACK, store.port or 80)
        self.requests: list[Request] = []
        self._rules: list[_Rule] = []
        self._answering = 0
        self._changed = threading.Condition()
        self._healed = threading.Event()
        super().__init__((LOOPBACK, 0), _Exchange)

    @property
    def endpoint_url(self) -> str:
        """Where the store seems to be."""
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def fail(
        self,
        fault: Fault,
        *,
        method: str = "GET",
        having: str = "",
        times: int = 1,
    ) -> None:
        """Apply `fault` to the next requests of `method` whose target has `having` in it."""

        def applies(request: Request) -> bool:
            return request.method == method and having in request.target

        with self._changed:
            self._rules.append(_Rule(fault, applies, times))

    def heal(self) -> None:
        """Forget all faults, and the requests so far."""
        with self._changed:
            self._rules.clear()
            self.requests.clear()
            # Whoever waits, waits no longer; whoever comes now has an event of its own.
            self._healed.set()
            self._healed = threading.Event()

    def count(self, method: str, having: str = "") -> int:
        """How many such requests have come so far."""
        with self._changed:
            return sum(
                request.method == method and having in request.target for request in self.requests
            )

    def wait_until_quiet(self) -> bool:
        """Wait until no answer is under way any more; whether it came to that."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._answering, WAIT)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, name="faulty-store", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.shutdown()
        self.server_close()

    # For the threads that serve

    def arrived(self, request: Request) -> Fault | None:
        """Note a request; the fault that it meets."""
        with self._changed:
            self.requests.append(request)
            for rule in self._rules:
                if rule.times and rule.applies(request):
                    rule.times -= 1
                    return rule.fault
        return None

    def wait(self, seconds: float) -> None:
        """Let a request wait, until it is healed or the time is over."""
        self._healed.wait(seconds)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count an answer that is under way."""
        with self._changed:
            self._answering += 1
        try:
            yield
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is what this is for: nothing to print."""


class _Exchange(StreamRequestHandler):
    """One connection of a client: its requests, one after another."""

    server: FaultyStore
    timeout = WAIT

    def handle(self) -> None:
        while (request := self._receive()) is not None:
            fault = self.server.arrived(request)
            with self.server.answering():
                if not self._answer(request, fault):
                    return

    def _receive(self) -> Request | None:
        lines = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            lines.append(line)
        if not lines:
            return None
        method, target, _ = lines[0].decode("latin-1").split(" ", 2)
        # The store must not be asked to invite a body that is coming anyway.
        kept = [line for line in lines if not line.lower().startswith(b"expect:")]
        request = Request(method, target, b"".join(kept), b"")
        if len(kept) < len(lines):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(int(request.header("Content-Length") or 0))
        return Request(method, target, request.head, body)

    def _answer(self, request: Request, fault: Fault | None) -> bool:
        """Answer a request; whether the connection goes on."""
        if isinstance(fault, Answer):
            return self._say(fault.status, fault.code)
        if isinstance(fault, Serve):
            return self._serve(request, fault)
        if isinstance(fault, Delay):
            self.server.wait(fault.seconds)
        with socket.create_connection(self.server.store_address, WAIT) as store:
            store.sendall(request.head + b"Connection: close\r\n\r\n" + request.body)
            answer = http.client.HTTPResponse(store, method=request.method)
            answer.begin()
            if isinstance(fault, LoseAnswer):
                answer.read()
                return self._reset()
            if isinstance(fault, AnswerAfter):
                answer.read()
                return self._say(fault.status, fault.code)
            return self._pass_on(request, answer, fault)

    def _say(self, status: int, code: str) -> bool:
        text = f"<Error><Code>{code}</Code><Message>?</Message></Error>" if code else ""
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode() if code else b""
        self._head(status, {"Content-Type": "application/xml", "Content-Length": str(len(body))})
        self.wfile.write(body)
        return True

    def _serve(self, request: Request, fault: Serve) -> bool:
        """Answer a GET, with a range or without, as a store that has those bytes does."""
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.header("Range"))
        whole = len(fault.data)
        first, last = (int(found[1]), min(int(found[2]), whole - 1)) if found else (0, whole - 1)
        if first >= whole:
            return self._say(416, "InvalidRange")
        body = fault.data[first : last + 1]
        headers = {"ETag": fault.etag, "Content-Length": str(len(body))}
        if found:
            headers["Content-Range"] = f"bytes {first}-{last}/{whole}"
        self._head(206 if found else 200, headers)
        self.wfile.write(body)
        return True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        phrase = HTTPStatus(status).phrase
        self.wfile.write(f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode("latin-1"))

    def _pass_on(
        self, request: Request, answer: http.client.HTTPResponse, fault: Fault | None
    ) -> bool:
        headers = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}
        }
        whole = b""
        length = answer.getheader("Content-Length")
        if length is None:
            whole = answer.read()
            length = str(len(whole))
        headers["Content-Length"] = length
        if isinstance(fault, Tag):
            headers = {name: value for name, value in headers.items() if name.lower() != "etag"}
            headers["ETag"] = fault.etag
        self._head(answer.status, headers)
        sent = 0
        for piece in [whole] if whole else iter(lambda: answer.read(PIECE), b""):
            if isinstance(fault, (Reset, EndEarly)) and sent + len(piece) > fault.after:
                self.wfile.write(piece[: fault.after - sent])
                return self._reset() if isinstance(fault, Reset) else False
            self.wfile.write(_flipped(piece, request.first_byte + sent, fault))
            sent += len(piece)
        return True

    def _reset(self) -> bool:
        """Make the close that follows a reset (RST): linger for no time at all."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def finish(self) -> None:
        # Without the orderly shutdown, which would come before the reset.
        self.rfile.close()
        self.wfile.close()
        self.connection.close()


def _flipped(piece: bytes, offset: int, fault: Fault | None) -> bytes:
    """The piece that lies at `offset` of the object, after the fault if it strikes there."""
    if not isinstance(fault, Flip) or not offset <= fault.offset < offset + len(piece):
        return piece
    at = fault.offset - offset
    return piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
