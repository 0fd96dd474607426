"""A signed-in user over plain HTTP/1.1: no library that could buffer, retry or hide a cut.

Bodies are made while they are sent and thrown away while they arrive, so that what is measured
is the site and not its client.
"""

import base64
import http.client
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import quote, urlencode

from benchmarks.site import NAME, PASSWORD

CHUNK = 256 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
_FILE = re.compile(r"/files/([0-9a-f-]{36})/")
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Unexpected(Exception):
    """The site answered with another status than this client can use."""


def body_of(size: int, pattern: bytes = b"") -> Iterator[bytes]:
    """`size` bytes: one random chunk, or `pattern` as often as it fits, over and over."""
    chunk = (pattern * (CHUNK // len(pattern) + 1))[:CHUNK] if pattern else os.urandom(CHUNK)
    for start in range(0, size, CHUNK):
        yield chunk[: size - start]


@dataclass
class Visitor:
    """One session at the site on loopback `port`. Threads may share it once it has signed in."""

    port: int
    _cookies: dict[str, str] = field(default_factory=dict, repr=False)

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

    def upload_form(self, name: str, size: int, body: Iterable[bytes]) -> str:
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

        def whole() -> Iterator[bytes]:
            yield head
            yield from body
            yield foot

        self._ask("POST", "/files/upload/", whole(), headers, status=302)
        return self.find(name)

    def upload_tus(self, name: str, size: int, body: Iterable[bytes]) -> str:
        """Upload one file of `size` bytes by tus 1.0.0 in one PATCH; return its id."""
        metadata = f"filename {base64.b64encode(name.encode()).decode()}"
        token = {"X-CSRFToken": self._cookies["csrftoken"]}
        created, _ = self._ask(
            "POST",
            "/uploads/",
            None,
            {**TUS, **token, "Upload-Length": str(size), "Upload-Metadata": metadata},
            status=201,
        )
        location = "/uploads/" + created["Location"].rpartition("/")[2]
        headers = {
            **TUS,
            **token,
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size),
            "Upload-Offset": "0",
        }
        self._ask("PATCH", location, body, headers, status=204)
        return self.find(name)

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
        connection, answer = self.open(file_id)
        buffer, total = bytearray(CHUNK), 0
        try:
            while count := answer.readinto(buffer):
                total += count
        finally:
            connection.close()
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
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
    ) -> tuple[http.client.HTTPMessage, bytes]:
        connection = self._connect()
        sent = {"Cookie": self.cookie, **(headers or {})} if self._cookies else headers or {}
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            page = answer.read()
        finally:
            connection.close()
        if answer.status != status:
            raise Unexpected(f"{method} {path} answered {answer.status}, not {status}")
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
        return answer.headers, page
