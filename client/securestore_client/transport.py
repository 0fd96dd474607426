"""HTTP to one site: kept connections, one for each thread, and what to do when one breaks.

The standard library alone (`http.client`): a transfer is one long body, which it sends and takes
without copying, it follows no redirect, so that a token never travels to another host, and the
program stays one file that needs nothing installed.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Final
from urllib.parse import urlsplit

from . import __version__
from .characters import marked
from .digests import Buffer
from .errors import USAGE, ClientError, Distrusted, NoWay, Refused, Unreachable
from .proxy import Proxy, proxy_to

BLOCK: Final = 256 * 1024
AGENT: Final = f"securestore/{__version__}"
TIMEOUT: Final = 120.0
"""Seconds without a byte, either way."""

PATIENCE: Final = 120.0
"""Seconds of trying again without anything getting on, before a command gives up."""

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
BROKEN: Final = (http.client.HTTPException, OSError)
NO_TLS: Final = frozenset(
    {
        *{"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"},
        *{"TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_HANDSHAKE_FAILURE"},
    }
)
"""Reasons of OpenSSL that say what the other end is, and not how the line fares."""

AGAIN: Final = frozenset({408, 423, 425, 429, 503, 504})
"""Answers after which the same request may well be taken."""

Blocks = Iterable[Buffer]


@dataclass(frozen=True)
class Answer:
    """An answer that was read whole."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body, as JSON. Raises Unreachable where it is none: then it is another server."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Unreachable(
                "The answer is not one of Securestore's API: is the address right?"
            ) from None


@dataclass
class Server:
    """A site, and the token that is presented to it. Threads may share it."""

    url: str
    token: str | None = None
    patience: float = field(
        default_factory=lambda: float(os.environ.get("SECURESTORE_PATIENCE", PATIENCE))
    )
    _own: threading.local = field(default_factory=threading.local, repr=False)
    _all: list[http.client.HTTPConnection] = field(default_factory=list, repr=False)
    _tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
            raise ClientError(
                f"“{self.url}” is no address of a site: give one like https://files.example.org.",
                USAGE,
                "bad_address",
            )
        if parts.scheme == "http" and host not in LOOPBACK and not _accepts_plain():
            raise ClientError(
                f"{self.url} has no TLS: whoever is on the way would read the token. Use https://.",
                USAGE,
                "plain_http",
            )
        self.host, self.is_tls = host, parts.scheme == "https"
        self.port = parts.port or (443 if self.is_tls else 80)
        self.prefix = parts.path.rstrip("/")
        self.url = self.url.rstrip("/")
        if self.is_tls:
            self._tls = ssl.create_default_context()

    # --- Requests whose answer is read whole ------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        key: bool = True,
        again: bool = True,
    ) -> Answer:
        """Ask for JSON, again where the connection broke. Raises Refused and Unreachable.

        Whatever may change something carries a key by which the site knows it again: twice is once,
        and the second answer is as the first one was. Without a `key` go what changes nothing, and
        what is the same twice by itself. What goes once only, not `again`, is not waited for.
        """
        said = dict(headers or {})
        data = b""
        if body is not None:
            data = json.dumps(body).encode()
            said["Content-Type"] = "application/json"
        if key and method not in {"GET", "HEAD"}:
            said |= key_of_request()
        trying, cut = Trying(self.patience), False
        while True:
            try:
                answer = self.exchange(method, path, said, [data] if data else [], len(data))
            except BROKEN as error:
                if not again:
                    raise Unreachable(self.told(error)) from error
                cut = True
                trying.again(error, self)
                continue
            if answer.status < 400:
                return answer
            refused = refusal(answer)
            refused.after_cut = cut
            if answer.status in AGAIN:
                trying.again(refused, self)
                continue
            raise refused

    def exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        blocks: Blocks = (),
        length: int | None = None,
    ) -> Answer:
        """One request and its whole answer, whatever it is. Raises as a broken connection does."""
        response = self.send(method, path, headers, blocks, length)
        try:
            body = response.read()
        except BaseException:
            self.drop()
            raise
        return Answer(response.status, response.headers, body)

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        blocks: Blocks = (),
        length: int | None = None,
    ) -> http.client.HTTPResponse:
        """One request; its answer is yet to be read, and nothing else asked until then."""
        connection = self._connection()
        try:
            connection.putrequest(method, self.prefix + path, skip_accept_encoding=True)
            for name, value in self._headers(headers).items():
                connection.putheader(name, value)
            if length or method in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(length or 0))
            connection.endheaders()
            self._pour(connection, blocks)
            return connection.getresponse()
        except BaseException:
            self.drop()
            raise

    def _pour(self, connection: http.client.HTTPConnection, blocks: Blocks) -> None:
        """Send a body. A server that refuses early closes: what it said may still be there."""
        sock = connection.sock
        for block in blocks:
            try:
                sock.sendall(block)
            except (BrokenPipeError, ConnectionResetError):
                return

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        headers = {"User-Agent": AGENT, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers | dict(more)

    # --- Connections ------------------------------------------------------------------------------

    def _connection(self) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if kept is not None and not _is_stale(kept):
            return kept
        self.drop()
        kept = self._connect()
        self._own.connection = kept
        self._all.append(kept)
        return kept

    def _connect(self) -> http.client.HTTPConnection:
        host, port, through = self.host, self.port, proxy_to(self.host) if self.is_tls else None
        if through:
            host, port = through.host, through.port
        kept: http.client.HTTPConnection
        if self._tls is not None:
            kept = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._tls)
        else:
            kept = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        if through:
            kept.set_tunnel(self.host, self.port, through.headers)
        try:
            kept.connect()
        except OSError as error:
            kept.close()
            # Early 3.11 leaves the answer of a refused tunnel open, and with it the socket.
            traceback.clear_frames(error.__traceback__)
            if refused := self._refused(error, through):
                raise refused from error
            raise
        kept.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return kept

    def _refused(self, error: OSError, through: Proxy | None) -> NoWay | None:
        """Why no wait makes this connection; None where one may."""
        if isinstance(error, ssl.SSLError):
            return self._distrusted(error)
        return through.refused(error, self.host) if through else None

    def _distrusted(self, error: ssl.SSLError) -> Distrusted | None:
        """What to do about a connection that TLS refused; None where it was merely broken."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return Distrusted(
                f"{self.url} shows a certificate that cannot be trusted, so nothing was sent: "
                f"{error.verify_message}. Is the address right, and this machine's clock? Of a "
                "site that signs its own, name the certificate: SSL_CERT_FILE=site.pem"
            )
        if error.reason in NO_TLS:
            return Distrusted(
                f"What answers at {self.url} has no TLS that can be used here, so nothing was "
                f"sent: is the address right, with its port? ({error.reason})"
            )
        return None

    def drop(self) -> None:
        """Close this thread's connection; the next request makes another."""
        kept = getattr(self._own, "connection", None)
        self._own.connection = None
        if kept is not None:
            with suppress(OSError):
                kept.close()
            with suppress(ValueError):
                self._all.remove(kept)

    def close(self) -> None:
        """Close the connections of all threads, none of which may be at work any more."""
        while self._all:
            with suppress(OSError):
                self._all.pop().close()

    def told(self, error: BaseException) -> str:
        """What a broken connection is called."""
        reason = str(error) or type(error).__name__
        return f"{self.url} cannot be reached: {reason}"


def key_of_request() -> dict[str, str]:
    """The header by which the site knows a request again, of a request that was not made yet."""
    return {"Idempotency-Key": os.urandom(24).hex()}


class Trying:
    """How long one thing is tried again: `patience` seconds since it last got on."""

    def __init__(self, patience: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._patience = patience
        self._sleep = sleep
        self.got_on()

    def got_on(self) -> None:
        """Something was done since: begin to count anew."""
        self._pause = 0.1
        self._until = time.monotonic() + self._patience

    def again(self, error: BaseException, server: Server) -> None:
        """Wait before the next try.

        Raises what became of it where the patience has run out, and at once what no wait mends.
        """
        if isinstance(error, NoWay):
            raise error
        wait = error.wait if isinstance(error, Refused) and error.wait else self._pause
        if time.monotonic() + wait > self._until:
            if isinstance(error, ClientError):
                raise error
            raise Unreachable(server.told(error)) from error
        self._sleep(wait)
        self._pause = min(2 * self._pause, 5.0)


def refusal(answer: Answer) -> Refused:
    """What an answer of 400 or more says, as problem details or as plain words."""
    code, words = f"http_{answer.status}", ""
    if "json" in answer.headers.get("Content-Type", ""):
        with suppress(ValueError, AttributeError):
            problem = json.loads(answer.body)
            code = str(problem.get("code") or code)
            words = str(problem.get("detail") or problem.get("title") or "")
    elif answer.headers.get("Content-Type", "").startswith("text/plain"):
        words = answer.body.decode(errors="replace").strip()
    words = _one_line(words) or http.client.responses.get(answer.status, "refused")
    if answer.status == 401:
        words = f"{words} Sign in again: securestore login"
    wait = answer.headers.get("Retry-After", "")
    return Refused(
        answer.status, code, words, wait=float(wait) if wait.isascii() and wait.isdigit() else None
    )


def _one_line(text: str) -> str:
    """Words of a server for a terminal: no control characters, one line."""
    return marked(text, " ")[:500].strip()


def _is_stale(connection: http.client.HTTPConnection) -> bool:
    """Whether the other end closed it while nobody asked anything."""
    sock = connection.sock
    if sock is None:
        return True
    sock.settimeout(0)
    try:
        return sock.recv(1, 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_PEEK) is not None
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        with suppress(OSError):
            sock.settimeout(TIMEOUT)


def _accepts_plain() -> bool:
    return os.environ.get("SECURESTORE_ACCEPT_PLAIN_HTTP") == "1"
