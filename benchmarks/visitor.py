"""A signed-in user over plain HTTP/1.1: no library that could buffer, retry or hide a cut.

Bodies are made while they are sent, or handed to the socket by the kernel, and thrown away while
they arrive, so that what is measured is the site and not its client.
"""

import base64
import http.client
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote, urlencode

from benchmarks.site import NAME, PASSWORD

CHUNK = 256 * 1024
READ = 1024 * 1024
"""Bytes that a download takes from its socket at once, at most."""

TUS = {"Tus-Resumable": "1.0.0"}
TUS_BODY = "application/offset+octet-stream"
_FILE = re.compile(r"/files/([0-9a-f-]{36})/")
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Unexpected(Exception):
    """The site answered with another status than this client can use."""


def body_of(size: int, pattern: bytes = b"") -> Iterator[bytes]:
    """`size` bytes: one random chunk, or `pattern` as often as it fits, over and over."""
    chunk = (pattern * (CHUNK // len(pattern) + 1))[:CHUNK] if pattern else os.urandom(CHUNK)
    for start in range(0, size, CHUNK):
        yield chunk[: size - start]


@dataclass(frozen=True)
class Slice:
    """`length` bytes of a file from `start`, as a piece of a body."""

    path: Path
    start: int
    length: int


Piece = bytes | Slice


@dataclass
class Visitor:
    """One session at the site on loopback `port`. Threads may share it once it has signed in."""

    port: int
    _cookies: dict[str, str] = field(default_factory=dict, repr=False)
    _kept: http.client.HTTPConnection | None = field(default=None, repr=False)

    @contextmanager
    def keep_alive(self) -> Iterator[None]:
        """Use one connection for all requests within. Not to be shared between threads then."""
        self._kept = self._connect()
        try:
            yield
        finally:
            self._kept.close()
            self._kept = None

    @property
    def cookie(self) -> str:
        """The value of the header `Cookie`."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def sign_in(self) -> None:
        """Through the page, as a browser does."""
        token = self._token("/accounts/login/")
        form = {"csrfmiddlewaretoken": token, "login": NAME, "password": PASSWORD}
        self._ask(
            "POST",
            "/accounts/login/",
            urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
            status=302,
        )

    def upload_form(self, name: str, size: int, body: Iterable[Piece]) -> str:
        """Upload one file of `size` bytes as the page does; return its id."""
        token = self._token("/files/upload/")
        boundary = "a-boundary-that-no-body-of-ours-contains"
        head = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
            f"{token}\r\n--{boundary}\r\n"
            'Content-Disposition: form-data; name="custody"\r\n\r\n'
            f"managed\r\n--{boundary}\r\n"
            f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        foot = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(foot)),
        }

        def whole() -> Iterator[Piece]:
            yield head
            yield from body
            yield foot

        self._ask("POST", "/files/upload/", whole(), headers, status=302)
        return self.find(name)

    def upload_tus(self, name: str, size: int, body: Iterable[Piece]) -> str:
        """Upload one file of `size` bytes by tus 1.0.0 in one PATCH; return its id."""
        return self.continue_tus(self._begin_tus(name, size), 0, size, body)

    def upload_chunks(self, name: str, path: Path, chunk: int) -> str:
        """Upload a file by tus, `chunk` bytes in each PATCH, on one connection; return its id."""
        size, file_id = path.stat().st_size, ""
        location = self._begin_tus(name, size)
        with self.keep_alive():
            for start in range(0, size, chunk):
                length = min(chunk, size - start)
                file_id = self.continue_tus(location, start, length, [Slice(path, start, length)])
        return file_id

    def upload_at_once(self, name: str, content: bytes) -> str:
        """Upload a small file by tus in its creation; return its id."""
        body = {"Content-Type": TUS_BODY, "Content-Length": str(len(content))}
        said = self._create_tus(name, len(content), [content], body)
        return str(said["Securestore-File"])

    def continue_tus(self, location: str, start: int, length: int, body: Iterable[Piece]) -> str:
        """Send the bytes from `start` of an upload; the file's id, empty when there is more."""
        headers = {
            **TUS,
            "X-CSRFToken": self._cookies["csrftoken"],
            "Content-Type": TUS_BODY,
            "Content-Length": str(length),
            "Upload-Offset": str(start),
        }
        said, _ = self._ask("PATCH", location, body, headers, status=204)
        return said.get("Securestore-File", "")

    def _begin_tus(self, name: str, size: int) -> str:
        said = self._create_tus(name, size, (), {})
        return "/uploads/" + said["Location"].rpartition("/")[2]

    def _create_tus(
        self, name: str, size: int, body: Iterable[Piece], headers: dict[str, str]
    ) -> http.client.HTTPMessage:
        headers = {
            **TUS,
            "X-CSRFToken": self._cookies["csrftoken"],
            "Upload-Length": str(size),
            "Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}",
            "Content-Length": "0",
            **headers,
        }
        said, _ = self._ask("POST", "/uploads/", body, headers, status=201)
        return said

    def put(self, path: str, size: int, body: Iterable[Piece]) -> None:
        """Send a body of `size` bytes as it is."""
        headers = {"Content-Type": TUS_BODY, "Content-Length": str(size)}
        self._ask("PATCH", path, body, headers, status=204)

    def find(self, name: str) -> str:
        """The id of the newest file with this name."""
        _, page = self._ask("GET", f"/files/?q={quote(name)}")
        found = _FILE.search(page.decode())
        if found is None:
            raise Unexpected(f"{name} is not in the list")
        return found[1]

    def open(self, file_id: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Begin a download; whoever reads the answer closes the connection."""
        connection = self._connect()
        connection.request("GET", f"/files/{file_id}/download/", headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise Unexpected(f"the download answered {answer.status}")
        return connection, answer

    def download(self, file_id: str) -> int:
        """Download to nowhere; return the bytes that came."""
        return self.fetch(f"/files/{file_id}/download/")

    def fetch(self, path: str, *, status: int = 200, **headers: str) -> int:
        """GET to nowhere; return the bytes that came."""
        connection = self._kept or self._connect()
        buffer, total = bytearray(READ), 0
        try:
            connection.request("GET", path, headers={"Cookie": self.cookie, **headers})
            answer = connection.getresponse()
            while count := answer.readinto(buffer):
                total += count
        finally:
            if connection is not self._kept:
                connection.close()
        if answer.status != status:
            raise Unexpected(f"GET {path} answered {answer.status}, not {status}")
        return total

    def _token(self, path: str) -> str:
        _, page = self._ask("GET", path)
        found = _TOKEN.search(page.decode())
        if found is None:
            raise Unexpected(f"{path} has no form")
        return found[1]

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[Piece] | None = None,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
    ) -> tuple[http.client.HTTPMessage, bytes]:
        connection = self._kept or self._connect()
        sent = {"Cookie": self.cookie, **(headers or {})} if self._cookies else headers or {}
        try:
            if body is None or isinstance(body, bytes):
                connection.request(method, path, body, sent)
            else:
                _send(connection, method, path, body, sent)
            answer = connection.getresponse()
            page = answer.read()
        finally:
            if connection is not self._kept:
                connection.close()
        if answer.status != status:
            raise Unexpected(f"{method} {path} answered {answer.status}, not {status}")
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
        return answer.headers, page


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Iterable[Piece],
    headers: dict[str, str],
) -> None:
    """A request whose pieces go out as they are: `headers` say how long they are together."""
    connection.putrequest(method, path)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    for piece in body:
        if isinstance(piece, Slice):
            with piece.path.open("rb") as file:
                connection.sock.sendfile(file, piece.start, piece.length)
        else:
            connection.sock.sendall(piece)
