"""The site as users run it, for clients of resumable uploads: one that may be killed at any time.

Speaks HTTP over raw sockets where a test must cut a connection at a byte of its choice.
"""

from __future__ import annotations

import base64
import http.client
import os
import random
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from launcher import environment
from launcher.ports import LOOPBACK, free_port
from launcher.process import Child
from launcher.site import Site
from tests.conftest import PASSWORD, Weed
from tests.integration import prepared

ROOT = Path(__file__).parents[2]
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Server:
    """The launcher's own web server on a database of the test's, which `kill` stops at once."""

    def __init__(self, folder: Path, weed: Weed, **settings: str) -> None:
        """`settings` are variables of its environment, beside those that `.env` sets."""
        self.bucket = f"site-{secrets.token_hex(8)}"
        self.database = folder / "var" / "db.sqlite3"
        client = weed.client()
        client.create_bucket(Bucket=self.bucket)
        client.close()
        env_file = folder / "env"
        environment.create(env_file, root=ROOT, data=folder / "var")
        (folder / "var").mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._env = {
            **kept,
            "SECURESTORE_ENV_FILE": str(env_file),
            "ALLOWED_HOSTS": LOOPBACK,
            "S3_BUCKET": self.bucket,
            "S3_ENDPOINT_URL": weed.endpoint_url,
            "AWS_ACCESS_KEY_ID": weed.access_key,
            "AWS_SECRET_ACCESS_KEY": weed.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            **settings,
        }
        self._folder = folder
        self.port = free_port()
        self._child: Child | None = None
        if "DATABASE_URL" not in settings:
            prepared.database(self.database)
        prepared.static(folder / "var" / "static")
        # In one process: each loads the whole site. What is migrated already stays as it is.
        self.manage(
            "shell",
            "--no-imports",
            code="from django.core.management import call_command\n"
            "call_command('migrate', verbosity=0)\n"
            "call_command('setup_vault')\n"
            "from accounts.members import ensure_members_group\n"
            "from accounts.models import User\n"
            f"user = User.objects.create_user('alice', 'alice@example.org', {PASSWORD!r})\n"
            "user.groups.add(ensure_members_group())\n",
        )

    def manage(self, *command: str, code: str = "") -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self._env,
            input=code,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        site = Site(LOOPBACK, self.port, ())
        self._child = Child(
            site.name, site.command(), env=self._env, cwd=ROOT, log=self._folder / "web.log"
        )
        self._child.wait_until(site.is_ready, seconds=60)

    def kill(self) -> None:
        """SIGKILL to the web server and all its workers."""
        assert self._child is not None
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.stop()


@dataclass
class Client:
    """Somebody who has signed in."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/uploads/"

    def sign_in(self, name: str = "alice") -> Client:
        cookies: dict[str, str] = {}

        def ask(method: str, path: str, body: str = "", **headers: str) -> str:
            sent = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), **headers}
            answer, content = self.request(method, path, body.encode(), **sent)
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                key, _, value = cookie.partition(";")[0].partition("=")
                cookies[key] = value
            return content.decode()

        found = _TOKEN.search(ask("GET", "/accounts/login/"))
        assert found is not None
        fields = {"login": name, "password": PASSWORD, "csrfmiddlewaretoken": found[1]}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        page = ask("POST", "/accounts/login/", urlencode(fields), **kind)
        assert "sessionid" in cookies, page
        self.headers = {
            "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()),
            "X-CSRFToken": cookies["csrftoken"],
            "Tus-Resumable": "1.0.0",
        }
        return self

    def request(
        self, method: str, path: str, body: bytes = b"", /, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=120)
        try:
            connection.request(method, path, body, {**self.headers, **headers})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def create(
        self,
        size: int,
        name: str = "file.bin",
        custody: str = "managed",
        data: bytes = b"",
        **said: str,
    ) -> str:
        """Begin an upload; with `data`, its first bytes or all of them come in the same request."""
        fields = {"filename": name, "custody": custody, **said}
        told = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in fields.items())
        kind = {"Content-Type": "application/offset+octet-stream"} if data else {}
        answer, content = self.request(
            "POST",
            "/uploads/",
            data,
            **{"Upload-Length": str(size), "Upload-Metadata": told},
            **kind,
        )
        assert answer.status == 201, content
        return "/uploads/" + answer.headers["Location"].rpartition("/")[2]

    def head(self, path: str) -> tuple[int, str | None]:
        """The offset that is safe, and the file where there is one."""
        answer, _ = self.request("HEAD", path)
        assert answer.status == 200
        return int(answer.headers["Upload-Offset"]), answer.headers.get("Securestore-File")

    def patch(self, path: str, data: bytes, offset: int, **headers: str) -> Any:
        kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        answer, _ = self.request("PATCH", path, data, **kind, **headers)
        return answer

    def patch_cut(self, path: str, data: bytes, offset: int, sent: int, *, reset: bool) -> None:
        """Announce all of `data`, send `sent` bytes of it, and be gone: by FIN, or by RST."""
        with self.patch_begun(path, data, offset, sent) as connection:
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def patch_begun(self, path: str, data: bytes, offset: int, sent: int) -> socket.socket:
        """A connection with a PATCH of which the first `sent` bytes are on their way."""
        connection = socket.create_connection((LOOPBACK, self.port), timeout=60)
        lines = {
            "Host": f"{LOOPBACK}:{self.port}",
            **self.headers,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Content-Length": str(len(data)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with suppress(ConnectionError):  # It may refuse, and close, before it has read all.
            connection.sendall(f"PATCH {path} HTTP/1.1\r\n{head}\r\n".encode())
            connection.sendall(data[:sent])
        return connection

    def download(self, file_id: str) -> bytes:
        answer, content = self.request("GET", f"/files/{file_id}/download/")
        assert answer.status == 200
        return content


@dataclass(frozen=True)
class Uploaded:
    """A complete upload: its file, and how many connections were cut on the way."""

    file_id: str
    cuts: int


def upload_with_cuts(client: Client, content: bytes, cuts: int, chance: random.Random) -> Uploaded:
    """Upload over a network that fails `cuts` times, at bytes that `chance` chooses.

    What was reported as safe must stay so.
    """
    path, size, safe, cut = client.create(len(content)), len(content), 0, 0
    while True:
        offset, file_id = client.head(path)
        assert offset >= safe
        safe = offset
        if file_id:
            return Uploaded(file_id, cut)
        if cut < cuts:
            sent = chance.randrange(size - offset)
            client.patch_cut(path, content[offset:], offset, sent, reset=chance.random() < 0.5)
            cut += 1
            continue
        # A cut request may have settled since. Then the offset is refused, at times before the
        # bytes were read, and asked for again.
        with suppress(ConnectionError):
            answer = client.patch(path, content[offset:], offset)
            assert answer.status in {204, 409, 423}
