"""Requests whose answer is read whole: which of them carry a key, and which are asked again."""

from __future__ import annotations

import io
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import (
    CertificateBuilder,
    DNSName,
    IPAddress,
    Name,
    NameAttribute,
    SubjectAlternativeName,
    random_serial_number,
)
from cryptography.x509.oid import NameOID

from client.securestore_client.errors import UNREACHABLE, Distrusted, Unreachable
from client.securestore_client.getting.answers import Answers
from client.securestore_client.getting.stream import Stream
from client.securestore_client.progress import Progress
from client.securestore_client.transport import Server
from tests.client.small_site import TOKEN, SmallSite

PATH = "/api/v1/links/1"


@pytest.fixture
def server(small_site: SmallSite) -> Iterator[Server]:
    small_site.links = [{"id": 1, "status": "live"}]
    server = Server(small_site.url, TOKEN, patience=20)
    yield server
    server.close()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The key of each request, as it is sent."""
    found: list[str | None] = []
    send = Server.send

    def noted(
        self: Server, method: str, path: str, said: Mapping[str, str], *rest: object
    ) -> object:
        found.append(said.get("Idempotency-Key"))
        return send(self, method, path, said, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Server, "send", noted)
    return found


def test_what_changes_something_has_one_key_for_all_its_tries(
    server: Server, small_site: SmallSite, keys: list[str | None]
) -> None:
    small_site.lose_answers = 2
    server.ask("DELETE", PATH)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]
    # What stands between may have given up before the site had answered.
    small_site.refuse = [(504, {})]
    server.ask("DELETE", PATH)
    assert len(keys) == 5
    assert keys[3] == keys[4] != keys[0]


def test_what_only_asks_has_none(
    server: Server, small_site: SmallSite, keys: list[str | None]
) -> None:
    kept = small_site.add("a.txt", b"a")
    server.ask("GET", "/api/v1/me")
    server.ask("HEAD", f"/api/v1/files/{kept.id}/content")
    server.ask("POST", "/api/v1/digests", body={"files": [kept.id]}, key=False)
    assert keys == [None, None, None]


def test_what_goes_once_only_is_not_waited_for(
    server: Server, small_site: SmallSite, keys: list[str | None]
) -> None:
    small_site.lose_answers = 1
    with pytest.raises(Unreachable):
        server.ask("DELETE", PATH, key=False, again=False)
    assert keys == [None]


# --- TLS ------------------------------------------------------------------------------------------

FOUND = Name([NameAttribute(NameOID.COMMON_NAME, "found.example")])


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> Path:
    """A certificate that signs itself, with its key, of which `days` are left."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    called = IPAddress(ip_address(host)) if host[0].isdigit() else DNSName(host)
    made = (
        CertificateBuilder(FOUND, FOUND, key.public_key(), random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(SubjectAlternativeName([called]), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return path


@contextmanager
def site_with(certificate: Path) -> Iterator[SmallSite]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with SmallSite(tls) as site:
        yield site


WRITES: dict[str, Callable[[Server], object]] = {
    "asked": lambda server: server.ask("DELETE", PATH),
    "once": lambda server: server.ask("DELETE", PATH, again=False),
    "written": lambda server: Stream(Answers(server, Progress())).write(PATH, io.BytesIO()),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("host", "days", "trusted", "said"),
    [
        ("127.0.0.1", 1, False, "self-signed certificate"),
        ("127.0.0.1", -1, True, "certificate has expired"),
        ("found.example", 1, True, "certificate is not valid for '127.0.0.1'"),
    ],
)
def test_a_certificate_that_cannot_be_trusted_is_asked_for_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: str,
    host: str,
    days: int,
    trusted: bool,
    said: str,
) -> None:
    """No waiting makes it another one, and whoever waits for minutes takes the site for down."""
    shown = certificate(tmp_path, host=host, days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(shown if trusted else os.devnull))
    with site_with(shown) as site, pytest.raises(Distrusted, match=said) as refused:
        WRITES[write](Server(site.url, TOKEN))
    assert (refused.value.exit_code, refused.value.code) == (UNREACHABLE, "tls_refused")
    assert "SSL_CERT_FILE" in str(refused.value)
    assert (site.connections, site.asked) == (1, [])


def test_one_that_is_trusted_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))
    with site_with(shown) as site, closing(Server(site.url, TOKEN, patience=20)) as server:
        site.links = [{"id": 1, "status": "live"}]
        site.lose_answers = 1
        server.ask("DELETE", PATH)
    assert site.connections == 2


def test_what_has_no_tls_is_asked_for_once(small_site: SmallSite) -> None:
    server = Server(small_site.url.replace("http:", "https:"), TOKEN)
    with pytest.raises(Distrusted, match="has no TLS"):
        server.ask("GET", "/api/v1/me")
    assert small_site.connections == 1


def test_a_connection_that_breaks_while_tls_is_agreed_upon_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))
    with site_with(shown) as site, closing(Server(site.url, TOKEN, patience=20)) as server:
        site.hang_ups = 2
        assert server.ask("GET", "/api/v1/me").status == 200
    assert site.connections == 3
