"""Through a proxy: by name and password where it wants them, no waiting for one that refuses."""

from __future__ import annotations

import gc
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from client.securestore_client.errors import UNREACHABLE, ProxyRefused
from client.securestore_client.proxy import proxy_to
from client.securestore_client.transport import Server
from tests.client.small_site import TOKEN, SmallSite
from tests.client.test_transport import certificate, site_with


class Tunnels(ThreadingHTTPServer):
    """Knows CONNECT alone. `answers` go before what it would say; `heard` is what came."""

    daemon_threads = True

    def __init__(self, authorization: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.authorization = authorization
        self.answers: list[int] = []
        self.heard: list[dict[str, str]] = []


class _Tunnel(BaseHTTPRequestHandler):
    server: Tunnels

    def do_CONNECT(self) -> None:
        self.server.heard.append({name.lower(): value for name, value in self.headers.items()})
        known = self.headers.get("Proxy-Authorization") == self.server.authorization
        status = self.server.answers.pop(0) if self.server.answers else 200 if known else 407
        self.send_response(status)
        self.end_headers()
        if status != 200:
            return
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as site:
            back = threading.Thread(target=_pour, args=(site, self.connection), daemon=True)
            back.start()
            _pour(self.connection, site)
            back.join()
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def _pour(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while block := one.recv(65536):
            other.sendall(block)
        other.shutdown(socket.SHUT_WR)


@contextmanager
def tunnels(authorization: str | None = None) -> Iterator[Tunnels]:
    with Tunnels(authorization) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
        yield proxy
        proxy.shutdown()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallSite]:
    """A site with TLS that is trusted, and an environment that names no proxy yet."""
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    shown = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))
    with site_with(shown) as site:
        yield site


def ask(site: SmallSite) -> int:
    with closing(Server(site.url, TOKEN, patience=20)) as server:
        return server.ask("GET", "/api/v1/me").status


def test_a_proxy_is_gone_through_and_sees_no_token(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tunnels() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_port}")
        assert ask(site) == 200
    [heard] = proxy.heard
    assert TOKEN not in str(heard)
    assert "proxy-authorization" not in heard
    assert site.tokens == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_it_is_told_the_name_and_password_of_its_address_and_the_site_is_not(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    basic = f"Basic {b64encode('ann:p@ß:1'.encode()).decode()}"
    with tunnels(basic) as proxy:
        address = f"{scheme}ann:p%40%C3%9F%3A1@127.0.0.1:{proxy.server_port}"
        monkeypatch.setenv("https_proxy", address)
        assert ask(site) == 200
    assert [heard["proxy-authorization"] for heard in proxy.heard] == [basic]
    assert site.tokens == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("status", "said"),
    [(407, r"https_proxy=http://NAME:PASSWORD@127\.0\.0\.1"), (403, r"\(403\).*no_proxy")],
)
def test_one_that_says_no_is_asked_once(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    with tunnels() as proxy:
        proxy.answers = [status] * 99
        monkeypatch.setenv("https_proxy", f"http://ann:secret@127.0.0.1:{proxy.server_port}")
        with pytest.raises(ProxyRefused, match=said) as refused:
            ask(site)
    assert len(proxy.heard) == 1
    assert (refused.value.exit_code, refused.value.code) == (UNREACHABLE, "proxy_refused")
    assert "secret" not in str(refused.value)
    assert site.connections == 0


def test_a_refusal_leaves_no_connection_open(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even until the collector comes."""

    def is_open_to_the_proxy(found: object) -> bool:
        with suppress(OSError):
            return isinstance(found, socket.socket) and found.getpeername()[1] == proxy.server_port
        return False

    with tunnels("Basic another") as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_port}")
        with pytest.raises(ProxyRefused):
            ask(site)
        assert not any(map(is_open_to_the_proxy, gc.get_objects()))


@pytest.mark.parametrize("status", [408, 429, 502, 503])
def test_one_that_is_busy_or_finds_no_way_is_asked_again(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with tunnels() as proxy:
        proxy.answers = [status, status]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_port}")
        assert ask(site) == 200
    assert len(proxy.heard) == 3


@pytest.mark.usefixtures("site")
def test_none_is_gone_through_where_none_is_named_or_the_host_is_excepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert proxy_to("files.example.org") is None
    monkeypatch.setenv("https_proxy", "http://proxy.example.org")
    named = proxy_to("files.example.org")
    assert named is not None
    assert (named.host, named.port, named.headers) == ("proxy.example.org", 3128, {})
    monkeypatch.setenv("no_proxy", "example.org")
    assert proxy_to("files.example.org") is None


@pytest.mark.usefixtures("site")
def test_its_password_is_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ann:secret@proxy.example.org:8080")
    assert "secret" not in repr(proxy_to("files.example.org"))
    assert b64encode(b"ann:secret").decode() not in repr(proxy_to("files.example.org"))
