"""Form uploads to the real server on the real store: whole, cut, too large, while it is busy."""

from __future__ import annotations

import random
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from files.crypto.stream.layout import FRAME_PAYLOAD, frames_per_part
from tests.conftest import Weed
from tests.files.multipart import CONTENT_TYPE, file
from tests.integration.forms import Site, answer, begin, eventually, form, post, reset
from tests.integration.tus import Client, Server

PART = frames_per_part(None) * FRAME_PAYLOAD
LIMIT = 24 << 20
PATIENCE = 2
"""Seconds that the server waits for a locked database."""

CONTENT = random.Random(1).randbytes(2 * PART + 12345)  # noqa: S311  the same in every run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Site]:
    server = Server(
        tmp_path_factory.mktemp("forms"),
        weed,
        MAX_UPLOAD_SIZE=str(LIMIT),
        DATABASE_TIMEOUT=str(PATIENCE),
    )
    server.start()
    store = weed.client()
    yield Site(server, store)
    store.close()
    server.kill()


@pytest.fixture(scope="module")
def client(site: Site) -> Client:
    return Client(site.server.port).sign_in()


def stored_id(site: Site, name: str) -> str:
    [[raw]] = site.rows(f"SELECT id FROM files_filerecord WHERE name = '{name}'")  # noqa: S608
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def test_several_files_come_back_as_they_were(site: Site, client: Client) -> None:
    small, empty = b"small", b""
    data = form(client, file("s.bin", small), file("e.bin", empty), file("l.bin", CONTENT))
    assert post(client, data) == (302, "/files/")
    for name, content in (("s.bin", small), ("e.bin", empty), ("l.bin", CONTENT)):
        assert client.download(stored_id(site, name)) == content
    assert site.untidy() == []


def test_a_form_that_arrives_byte_by_byte_is_read(site: Site, client: Client) -> None:
    data = form(client, file("slow.bin", b"slowly"))
    with begin(client, b"", len(data)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
        assert answer(connection)[0] == 302
    assert client.download(stored_id(site, "slow.bin")) == b"slowly"


def test_without_the_token_nothing_is_left(site: Site, client: Client) -> None:
    before = site.files(), site.objects()
    data = form(client, file("forged.bin", CONTENT)).replace(
        client.headers["X-CSRFToken"].encode(), b"0" * len(client.headers["X-CSRFToken"])
    )
    stranger = Client(client.port, {"Cookie": client.headers["Cookie"], "X-CSRFToken": ""})
    assert post(stranger, data)[0] == 403
    assert site.untidy() == []
    assert (site.files(), site.objects()) == before


# --- Cut --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.999999])
@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_a_client_that_goes_away_leaves_nothing(
    site: Site, client: Client, share: float, end: Callable[[socket.socket], None]
) -> None:
    before, aborted = site.files(), site.events("upload_aborted")
    data = form(client, file("first.bin", CONTENT), file("second.bin", b"x" * 1000))
    connection = begin(client, data[: int(len(data) * share)], len(data))
    end(connection)
    assert eventually(lambda: site.events("upload_aborted") > aborted)
    assert eventually(site.is_tidy), site.untidy()
    assert site.files() == before


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.3, 0.999999])
def test_a_body_that_ends_early_is_answered_and_leaves_nothing(
    site: Site, client: Client, share: float
) -> None:
    before = site.files(), site.objects()
    data = form(client, file("first.bin", CONTENT), file("second.bin", b"x" * 1000))
    connection = begin(client, data[: int(len(data) * share)], len(data))
    connection.shutdown(socket.SHUT_WR)
    status, page = answer(connection)
    assert status == 400
    assert "cut off before it was complete. Nothing was stored." in page
    assert site.untidy() == []
    assert (site.files(), site.objects()) == before


# --- Too large --------------------------------------------------------------------------------


def test_a_declared_length_over_the_limit_is_answered_before_any_body(
    site: Site, client: Client
) -> None:
    rows = site.rows("SELECT count(*) FROM files_storedobject")
    status, page = answer(begin(client, b"", LIMIT + (1 << 20)))
    assert status == 413
    assert f"limit of {LIMIT:,} bytes" in page
    assert site.rows("SELECT count(*) FROM files_storedobject") == rows


def test_a_file_just_over_the_limit_is_refused_as_it_arrives(site: Site, client: Client) -> None:
    data = form(client, file("whole.bin", b"1"), file("large.bin", bytes(LIMIT + 1)))
    status, page = answer(begin(client, data, len(data)))
    assert status == 413
    assert f"limit of {LIMIT:,} bytes" in page
    assert site.untidy() == []
    assert "whole.bin" in site.files()
    assert "large.bin" not in site.files()


def test_a_file_of_exactly_the_limit_is_stored(site: Site, client: Client) -> None:
    assert post(client, form(client, file("limit.bin", bytes(LIMIT))))[0] == 302
    assert client.download(stored_id(site, "limit.bin")) == bytes(LIMIT)


# --- Busy -------------------------------------------------------------------------------------


def test_a_locked_database_is_waited_for(site: Site, client: Client) -> None:
    answers: list[tuple[int, str]] = []
    data = form(client, file("patient.bin", b"1"))
    with closing(sqlite3.connect(site.server.database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=lambda: answers.append(post(client, data)))
        thread.start()
        thread.join(PATIENCE / 3)
        assert thread.is_alive()
        lock.execute("ROLLBACK")
    thread.join(60)
    assert answers == [(302, "/files/")]
    assert "patient.bin" in site.files()


def test_a_database_that_stays_locked_is_503_and_nothing_is_stored(
    site: Site, client: Client
) -> None:
    before = site.files(), site.objects()
    data = form(client, file("refused.bin", b"1"))
    with closing(sqlite3.connect(site.server.database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        reply, page = client.request(
            "POST", "/files/upload/", data, **{"Content-Type": CONTENT_TYPE}
        )
        waited = time.monotonic() - begun
        # Reading goes on meanwhile.
        assert client.request("GET", "/files/")[0].status == 200
        lock.execute("ROLLBACK")
    assert reply.status == 503
    assert reply.headers["Retry-After"]
    assert b"Nothing was stored" in page
    assert waited >= PATIENCE
    assert site.untidy() == []
    assert (site.files(), site.objects()) == before
