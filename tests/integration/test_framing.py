"""Where one request ends and the next begins: the web server, asked byte by byte.

A proxy and a server that disagree on it let one client's bytes become the beginning of another's
request (RFC 9112, 11.2). Whatever is ambiguous must be refused, or end its connection.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator

import pytest

from files.crypto.fernetkey import generate_master_key
from launcher.ports import LOOPBACK, free_port
from launcher.process import Child
from launcher.site import Site
from runtime.configuration import BASE_DIR

Ask = Callable[[str], list[int]]
NEXT = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Sends bytes on a connection of their own; the statuses of what comes back until it ends."""
    folder = tmp_path_factory.mktemp("framing")
    site = Site(LOOPBACK, free_port(), [LOOPBACK])
    child = Child(
        site.name,
        site.command(),
        env={
            **site.environment(),
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "securestore.settings",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "AUDIT_KEY": secrets.token_urlsafe(32),
            "MASTER_KEYS": generate_master_key(),
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        },
        cwd=BASE_DIR,
        log=folder / "log",
    )

    def statuses(sent: str) -> list[int]:
        with socket.create_connection((LOOPBACK, site.port), timeout=10) as connection:
            connection.sendall(sent.encode("latin-1"))
            received = b""
            # Reset or closed: either is an end.
            try:
                while data := connection.recv(65536):
                    received += data
            except ConnectionResetError:
                pass
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]

    try:
        child.wait_until(site.is_ready, seconds=60)
        yield statuses
    finally:
        child.stop()


def request(*headers: str, line: str = "POST /healthz HTTP/1.1", body: str = "") -> str:
    return "\r\n".join([line, "Host: 127.0.0.1", *headers, "", body])


def test_two_requests_on_one_connection_are_two(ask: Ask) -> None:
    """The asking itself: pipelining works where nothing is ambiguous."""
    assert ask(request(line="GET /healthz HTTP/1.1") + NEXT) == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: abc"],
        ["Content-Length: -5"],
        ["Content-Length: +5"],
        ["Content-Length: 5, 5"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 99999999999999999999999"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding : chunked"],
        ["X-Folded: a\r\n b"],
        ["X-Null: a\0b"],
    ],
)
def test_what_is_ambiguous_is_refused(ask: Ask, headers: list[str]) -> None:
    assert ask(request(*headers) + NEXT) == [400]


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 4"],
    ],
)
def test_two_kinds_of_length_end_the_connection(ask: Ask, headers: list[str]) -> None:
    answers = ask(request(*headers, body="0\r\n\r\n") + NEXT)
    assert len(answers) == 1
    assert answers[0] >= 400


def test_a_body_that_nobody_read_is_no_request(ask: Ask) -> None:
    inner = "GET /nothing-here HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answers = ask(request(f"Content-Length: {len(inner)}", body=inner) + NEXT)
    assert 404 not in answers


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/files/download/", "/files/upload/", "/uploads/", "/admin/login/"]
)
def test_a_body_of_unknown_length_is_411(ask: Ask, path: str) -> None:
    chunked = request(
        "Transfer-Encoding: chunked",
        "Connection: close",
        line=f"POST {path} HTTP/1.1",
        body="7\r\nlogin=a\r\n0\r\n\r\n",
    )
    assert ask(chunked) == [411]


@pytest.mark.parametrize(
    ("header", "status"),
    [("Content-Encoding: gzip", 415), ("Content-Range: bytes 0-1/9", 400), ("Expect: x", 417)],
)
def test_a_header_that_is_sent_twice_counts_both_times(ask: Ask, header: str, status: int) -> None:
    """Servers join repeated headers, or keep one: the one that matters must not be lost."""
    name = header.partition(":")[0]
    harmless = {"Content-Encoding": "identity", "Expect": "100-continue"}.get(name, "bytes 0-1/2")
    for headers in ([header, f"{name}: {harmless}"], [f"{name}: {harmless}", header]):
        sent = request(*headers, "Content-Length: 2", "Connection: close", body="ab")
        assert [found for found in ask(sent) if found != 100] == [status]
