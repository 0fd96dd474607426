"""Downloads from the real server on the real store: exact, also when something breaks."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD
from launcher.ports import LOOPBACK
from tests.conftest import Weed
from tests.files.multipart import file
from tests.integration.forms import Site, eventually, form, post
from tests.integration.tus import Client, Server

RECHECK = 1
"""Seconds after which the rule is asked again."""

FRAMES = 40
CONTENT = random.Random(2).randbytes(FRAMES * FRAME_PAYLOAD + 5)  # noqa: S311  the same every run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("downloads")
    server = Server(folder, weed, DOWNLOAD_RECHECK_SECONDS=str(RECHECK))
    server.start()
    store = weed.client()
    yield Site(server, store)
    store.close()
    server.kill()


@pytest.fixture(scope="module")
def client(site: Site) -> Client:
    return Client(site.server.port).sign_in()


@pytest.fixture
def path(site: Site, client: Client, request: pytest.FixtureRequest) -> str:
    """Where the bytes of a new file are."""
    name = f"{request.node.name}.bin"[-100:]
    assert post(client, form(client, file(name, CONTENT)))[0] == 302
    [[raw]] = site.rows("SELECT id FROM files_filerecord ORDER BY created_at DESC LIMIT 1")
    return f"/files/{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}/download/"


def newest(site: Site) -> tuple[str, str]:
    """The object's name and the state of the newest file."""
    [row] = site.rows("SELECT object_name, state FROM files_storedobject ORDER BY id DESC LIMIT 1")
    return str(row[0]), str(row[1])


def flip(site: Site, at: int) -> None:
    name, _state = newest(site)
    raw = bytearray(site.store.get_object(Bucket=site.server.bucket, Key=name)["Body"].read())
    raw[at] ^= 1
    site.store.put_object(Bucket=site.server.bucket, Key=name, Body=bytes(raw))


def test_conditions_and_ranges_share_one_connection(client: Client, path: str) -> None:
    """Lengths must be right to the byte, or the next answer would begin in the wrong place."""
    connection = http.client.HTTPConnection(LOOPBACK, client.port, timeout=60)

    def ask(method: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request(method, path, headers={**client.headers, **headers})
        answer = connection.getresponse()
        return answer, answer.read()

    connection.connect()
    own = connection.sock
    head, nothing = ask("HEAD")
    assert (head.status, nothing, head.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))
    tag = head.headers["ETag"]
    same, nothing = ask("GET", **{"If-None-Match": tag})
    assert (same.status, nothing, same.headers["ETag"]) == (304, b"", tag)
    assert same.headers.get("Content-Length") in {None, str(len(CONTENT))}
    part, got = ask("GET", Range="bytes=-7", **{"If-Range": tag})
    assert (part.status, got) == (206, CONTENT[-7:])
    beyond, got = ask("GET", Range=f"bytes={len(CONTENT)}-")
    assert (beyond.status, got) == (416, b"")
    assert beyond.headers["Content-Range"] == f"bytes */{len(CONTENT)}"
    whole, got = ask("GET", Range="bytes=0-1,5-6")
    assert (whole.status, got == CONTENT) == (200, True)
    last, got = ask("GET", Range=f"bytes={FRAME_PAYLOAD - 1}-{FRAME_PAYLOAD}")
    assert (last.status, got) == (206, CONTENT[FRAME_PAYLOAD - 1 : FRAME_PAYLOAD + 1])
    assert connection.sock is own
    connection.close()


def test_a_broken_download_is_taken_up_where_it_ended(client: Client, path: str) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, client.port, timeout=60)
    connection.request("GET", path, headers=client.headers)
    answer = connection.getresponse()
    received, tag = answer.read(3_000_001), answer.headers["ETag"]
    connection.close()
    rest, got = client.request("GET", path, **{"Range": f"bytes={len(received)}-", "If-Range": tag})
    assert rest.status == 206
    assert received + got == CONTENT


def test_damage_in_a_later_frame_ends_the_body_short(site: Site, client: Client, path: str) -> None:
    flip(site, 30 * FRAME_LENGTH + 1000)
    failed = site.events("download_failed")
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.request("GET", path)
    assert cut.value.partial == CONTENT[: 30 * FRAME_PAYLOAD]
    assert newest(site)[1] == "damaged"
    assert eventually(lambda: site.events("download_failed") == failed + 1)
    page = client.request("GET", path.removesuffix("download/"))[1]
    assert b"damaged in the store" in page


def test_damage_in_the_first_frame_is_a_page(site: Site, client: Client, path: str) -> None:
    flip(site, 50)
    answer, page = client.request("GET", path)
    assert answer.status == 502
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Content-Disposition" not in answer.headers
    assert CONTENT[:16] not in page


def test_a_truncated_object_sends_no_byte(site: Site, client: Client, path: str) -> None:
    name, _state = newest(site)
    raw = site.store.get_object(Bucket=site.server.bucket, Key=name)["Body"].read()
    site.store.put_object(Bucket=site.server.bucket, Key=name, Body=raw[:-FRAME_LENGTH])
    assert client.request("GET", path)[0].status == 502
    assert newest(site)[1] == "damaged"


def test_a_client_that_goes_away_is_recorded(site: Site, client: Client, path: str) -> None:
    file_id = path.split("/")[2].replace("-", "")

    def under_way() -> list[tuple[int, bool]]:
        """Requests that are running, and whether anything was sent, of downloads of this file."""
        return site.rows(
            f"SELECT running, bytes > 0 FROM files_downloadsession WHERE file_id = '{file_id}'"  # noqa: S608
        )

    lines = {"Host": f"{LOOPBACK}:{client.port}", **client.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    connection = socket.create_connection((LOOPBACK, client.port), timeout=60)
    connection.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    # It may yet be gone on with, and is an event when it has stood still for long.
    assert eventually(lambda: under_way() == [(0, True)])
    assert client.request("GET", path, Range="bytes=0-3")[1] == CONTENT[:4]


def test_a_reader_that_stands_still_gets_little_once_its_access_has_ended(
    site: Site, client: Client, path: str
) -> None:
    """What process and kernel have taken on is on its way: a client may let it lie there."""
    activate = (
        "from accounts.models import User\n"
        "User.objects.filter(username='alice').update(is_active={})\n"
    )
    lines = {"Host": f"{LOOPBACK}:{client.port}", **client.headers, "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect((LOOPBACK, client.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        begun = time.monotonic()
        try:
            site.server.manage("shell", "--no-imports", code=activate.format(False))
            assert eventually(lambda: time.monotonic() - begun > RECHECK)
            received = sum(map(len, iter(lambda: connection.recv(65536), b"")))
        finally:
            site.server.manage("shell", "--no-imports", code=activate.format(True))
    # Of 10 MiB, the eight pieces of 256 KiB that the web server queues, and a little.
    assert received < 3 * 2**20
