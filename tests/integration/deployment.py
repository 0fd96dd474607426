"""A deployment as docs/operations.md has it, on this machine: two pools of processes behind nginx.

The commands are those of `deploy/serve`, and the proxy's configuration is `deploy/nginx.conf`, in
which names of files, ports and addresses are replaced, and nothing else.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from launcher.ports import LOOPBACK, free_port
from launcher.process import Child
from launcher.site import Site
from tests.conftest import PASSWORD, Weed
from tests.integration import prepared
from tests.integration.installation import ROOT, Installation

HOST = "files.example.org"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')

# People with sessions: to sign in so many, one after another, would take minutes of hashing.
PEOPLE = """
import json, sys
from django.test import Client
from accounts.members import ensure_members_group
from accounts.models import User
def member(name, password=None):
    user = User.objects.create_user(name, name + "@example.org", password)
    user.groups.add(ensure_members_group())
    return user
if not User.objects.filter(username="visitor").exists():
    member("visitor", sys.argv[2])
had, made = User.objects.count(), []
for n in range(int(sys.argv[1])):
    client = Client()
    client.force_login(member(f"person{had + n}"))
    cookies = {"csrftoken": "b" * 32, **{k: one.value for k, one in client.cookies.items()}}
    made.append("; ".join(f"{key}={value}" for key, value in cookies.items()))
print(json.dumps(made))
"""


def people(installation: Installation, number: int) -> list[str]:
    """Make members who are signed in, and `visitor`, who has a password; their `Cookie` headers."""
    [line] = installation.python(PEOPLE, str(number), PASSWORD)
    return list(json.loads(line))


@dataclass
class Pool:
    """One pool of web processes, as `deploy/serve` runs it."""

    kind: str
    environment: Mapping[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    grace: float = 150
    child: Child | None = None

    def start(self) -> None:
        self.child = Child(
            f"The pool {self.kind}",
            [str(ROOT / "deploy" / "serve"), self.kind, LOOPBACK, str(self.port)],
            env=self.environment,
            cwd=ROOT,
            log=self.log,
            grace=self.grace,
        )
        self.child.wait_until(self.is_alive, seconds=90)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def reload(self) -> None:
        """New processes take over from the old ones, as `systemctl reload` has it."""
        assert self.child is not None
        os.kill(self.child.pid, signal.SIGHUP)

    def is_alive(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz", headers={"Host": HOST})
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass
class Server:
    """What runs on one host: both pools."""

    pages: Pool
    transfers: Pool

    def start(self) -> None:
        self.pages.start()
        self.transfers.start()

    def stop(self) -> None:
        self.pages.stop()
        self.transfers.stop()


class Deployment:
    """Servers, and nginx before them with the file that is shipped. Use as `running`."""

    def __init__(self, folder: Path, weed: Weed, *, servers: int, **settings: str) -> None:
        self.folder = folder
        self.installation = Installation(
            folder / "site",
            weed,
            f"deployment-{os.urandom(6).hex()}",
            more={
                "TRUST_X_FORWARDED_PROTO": "true",
                "TRUSTED_PROXIES": "127.0.0.1",
                "STATIC_ROOT": str(folder / "static"),
                **settings,
            },
        )
        self.installation.migrate()
        prepared.static(folder / "static")
        self.installation.run("manage.py setup_vault")
        environment = {**self.installation.environment(), "WORKERS": "1", "GRACE": "120"}
        self.servers = [
            Server(*(Pool(kind, environment, folder / f"{kind}-{n}.log") for kind in POOLS))
            for n in range(servers)
        ]
        self.port = free_port()
        self.context = ssl.create_default_context(cafile=str(self._certificate()))

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            for server in self.servers:
                server.start()
            with self.proxy():
                yield
        finally:
            for server in self.servers:
                server.stop()

    @contextmanager
    def proxy(self) -> Iterator[None]:
        """nginx alone, whatever there is behind it."""
        nginx = self._nginx()
        try:
            yield
        finally:
            nginx.stop()

    def _nginx(self) -> Child:
        path = self.folder / "nginx.conf"
        path.write_text(self.configuration())
        child = Child(
            "nginx",
            [
                NGINX,
                "-p",
                str(self.folder),
                "-e",
                str(self.folder / "nginx.log"),
                "-c",
                str(path),
                "-g",
                "daemon off;",
            ],
            env={"PATH": os.environ["PATH"]},
            cwd=self.folder,
            log=self.folder / "nginx.out",
        )
        child.wait_until(self._answers, seconds=30)
        return child

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=5):
            return True
        return False

    def configuration(self) -> str:
        """The file as it is shipped, with the names and addresses of this deployment."""
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for there, here in self._replaced().items():
            assert there in text, f"{there} is not in the file any more"
            text = text.replace(there, here)
        return text

    def _replaced(self) -> dict[str, str]:
        account = "root" if os.geteuid() == 0 else ""
        return {
            "user www-data;": f"user {account};" if account else "",
            "/run/nginx.pid": f"{self.folder}/nginx.pid",
            "/run/nginx-": f"{self.folder}/nginx-",
            "/var/log/nginx/": f"{self.folder}/",
            "/etc/ssl/files.example.org": f"{self.folder}/certificate",
            "listen [::]:80;": "",
            "listen [::]:443 ssl;": "",
            "listen 80;": f"listen {LOOPBACK}:{free_port()};",
            "listen 443 ssl;": f"listen {LOOPBACK}:{self.port} ssl;",
            **{
                f"server 127.0.0.1:{port} max_fails=0;": "".join(
                    f"server 127.0.0.1:{getattr(server, kind).port} max_fails=0;"
                    for server in self.servers
                )
                for kind, port in POOLS.items()
            },
        }

    def _certificate(self) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
        names = [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        certificate = self.folder / "certificate.pem"
        certificate.write_bytes(made.public_bytes(Encoding.PEM))
        (self.folder / "certificate.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return certificate


POOLS = {"pages": 8000, "transfers": 8100}
"""The pools, and the ports that the shipped files name."""


@dataclass
class Address:
    """Where a site is reached: over TLS with a `context`, else in the clear."""

    port: int
    host: str = LOOPBACK
    context: ssl.SSLContext | None = None

    def connect(self, timeout: float = 60) -> http.client.HTTPConnection:
        if self.context is None:
            return http.client.HTTPConnection(LOOPBACK, self.port, timeout=timeout)
        return Tunnelled(self.host, self.port, timeout=timeout, context=self.context)


class Tunnelled(http.client.HTTPSConnection):
    """To loopback, whatever its name is: no test looks up a name."""

    def connect(self) -> None:
        bare = socket.create_connection((LOOPBACK, self.port), self.timeout)
        self.sock = self._context.wrap_socket(bare, server_hostname=self.host)  # type: ignore[attr-defined]


@dataclass
class Visitor:
    """A browser of somebody's: keeps cookies, and tells what was answered."""

    address: Address
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request on a connection of its own: status, headers, body."""
        sent = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), **headers}
        if self.address.context is not None:
            sent["Host"] = self.address.host
            sent["Referer"] = f"https://{self.address.host}{path}"
        connection = self.address.connect()
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer.status, answer.headers, content

    def post(self, path: str, **fields: str) -> int:
        """Send the form of a page; the status."""
        token = token_in(self.ask("GET", path)[2])
        body = urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        return self.ask("POST", path, body, **FORM)[0]

    def sign_in(self, name: str = "visitor") -> int:
        return self.post("/accounts/login/", login=name, password=PASSWORD)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def token_in(page: bytes) -> str:
    """That of the page's form."""
    found = _TOKEN.search(page.decode())
    assert found is not None, page
    return found[1]


def cookies_of(cookie: str) -> dict[str, str]:
    """What a header `Cookie` holds."""
    pairs = [pair.partition("=") for pair in cookie.split("; ")]
    return {name: value for name, _, value in pairs}


def cookie_of(cookie: str, name: str) -> str:
    return cookies_of(cookie)[name]


class Alone:
    """One web process on SQLite without a proxy, run as `make run` runs it. Use as `running`."""

    def __init__(self, folder: Path, weed: Weed, **settings: str) -> None:
        self.installation = Installation(
            folder / "site",
            weed,
            f"alone-{os.urandom(6).hex()}",
            more={
                "HTTPS": "false",
                "ALLOWED_HOSTS": LOOPBACK,
                "STATIC_ROOT": str(folder / "static"),
                **settings,
            },
        )
        self.installation.migrate()
        prepared.static(folder / "static")
        self.installation.run("manage.py setup_vault")
        self.database = self.installation.folder / "db.sqlite3"
        self._log = folder / "web.log"
        self._site = Site(LOOPBACK, free_port(), [LOOPBACK])
        self.address = Address(self._site.port)

    @contextmanager
    def running(self) -> Iterator[None]:
        told = self._site.environment()
        given = {k: v for k, v in told.items() if k.startswith(("GRANIAN_", "MALLOC_"))}
        child = Child(
            self._site.name,
            self._site.command(),
            env={**self.installation.environment(), **given},
            cwd=ROOT,
            log=self._log,
        )
        try:
            child.wait_until(self._site.is_ready, seconds=90)
            yield
        finally:
            child.stop()
