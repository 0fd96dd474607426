"""The site before a store that breaks: what people are told, what is kept, what is never sent.

A real server, by form and by tus, with a proxy before the real store that does what it is told to.
Whatever fails, an upload is there once and whole, or not at all and can be sent again; a download
is exact, or ends before the first byte that did not authenticate.
"""

from __future__ import annotations

import http.client
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD, frames_per_part
from tests.conftest import Weed
from tests.files.multipart import file
from tests.integration.faulty_store import (
    Answer,
    AnswerAfter,
    Delay,
    EndEarly,
    Fault,
    FaultyStore,
    Flip,
    LoseAnswer,
    Reset,
    Serve,
    Tag,
)
from tests.integration.forms import Site, eventually, form, post
from tests.integration.tus import Client, Server

F = FRAME_PAYLOAD
PART = frames_per_part(None) * F
SMALL = random.Random(3).randbytes(5 * F + 7)  # noqa: S311  the same in every run
LARGE = random.Random(4).randbytes(PART + 3 * F)  # noqa: S311
CONTENTS = {"small": SMALL, "large": LARGE}
TIMEOUT, ATTEMPTS = 1, 2
ALWAYS = 99


@dataclass
class Faulty(Site):
    """A site whose way to the store breaks on demand."""

    network: FaultyStore
    client: Client

    def newest(self) -> tuple[str, str]:
        """The object's name and the id of the newest file."""
        [(name, raw)] = self.rows(
            "SELECT o.object_name, f.id FROM files_filerecord f"
            " JOIN files_storedobject o ON o.id = f.current_id ORDER BY f.created_at DESC LIMIT 1"
        )
        return name, f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"

    def raw(self, name: str) -> tuple[bytes, str]:
        """An object as it lies in the store, and its ETag."""
        answer = self.store.get_object(Bucket=self.server.bucket, Key=name)
        return answer["Body"].read(), answer["ETag"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Faulty]:
    with FaultyStore(weed.endpoint_url) as network:
        server = Server(
            tmp_path_factory.mktemp("faults"),
            weed,
            S3_ENDPOINT_URL=network.endpoint_url,
            S3_CONNECT_TIMEOUT=str(TIMEOUT),
            S3_READ_TIMEOUT=str(TIMEOUT),
            S3_MAX_ATTEMPTS=str(ATTEMPTS),
            DOOMED_GRACE_MINUTES="0",
        )
        server.start()
        store = weed.client()
        yield Faulty(server, store, network, Client(server.port).sign_in())
        store.close()
        server.kill()


@pytest.fixture
def site(running: Faulty) -> Iterator[Faulty]:
    """The site, with a sound store until a test says otherwise, and after it."""
    running.network.heal()
    yield running
    running.network.heal()


# --- Uploads ----------------------------------------------------------------------------------


def by_form(site: Faulty, name: str, content: bytes) -> tuple[int, str]:
    """Send it once; the status and the page."""
    return post(site.client, form(site.client, file(name, content)))


def by_tus(site: Faulty, name: str, content: bytes) -> tuple[int, str]:
    """Go on with it, or begin it; the status and the page of the request that ended it."""
    path = _begun.get(name) or site.client.create(len(content), name)
    _begun[name] = path
    offset, done = site.client.head(path)
    if done:
        return 204, ""
    kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    answer, page = site.client.request("PATCH", path, content[offset:], **kind)
    if answer.status == 410:
        del _begun[name]
    return answer.status, page.decode()


_begun: dict[str, str] = {}
Door = Callable[[Faulty, str, bytes], tuple[int, str]]


def times_there(site: Faulty, name: str) -> int:
    [[count]] = site.rows(f"SELECT count(*) FROM files_filerecord WHERE name = '{name}'")  # noqa: S608
    return int(count)


@pytest.mark.parametrize("send", [by_form, by_tus])
@pytest.mark.parametrize(
    ("size", "method", "having", "fault"),
    [
        ("small", "PUT", "", Answer(503, "SlowDown")),
        ("small", "PUT", "", LoseAnswer()),
        ("small", "PUT", "", Delay(TIMEOUT + 2)),
        ("small", "PUT", "", Tag('"lies"')),
        ("small", "GET", "", Reset(FRAME_LENGTH)),
        ("large", "PUT", "partNumber=1", Answer(500, "InternalError")),
        ("large", "PUT", "partNumber=2", LoseAnswer()),
        ("large", "POST", "uploadId=", AnswerAfter(500, "InternalError")),
        ("large", "POST", "uploadId=", AnswerAfter(200, "InternalError")),
        ("large", "POST", "uploadId=", Answer(200, "InternalError")),
    ],
    ids=str,
)
def test_a_fault_that_passes_is_not_noticed(
    site: Faulty, send: Door, size: str, method: str, having: str, fault: Fault
) -> None:
    content = CONTENTS[size]
    name = f"passes-{random.getrandbits(64)}"
    site.network.fail(fault, method=method, having=having)
    status, page = send(site, name, content)
    assert status in (302, 204), page
    assert times_there(site, name) == 1
    site.network.heal()
    assert site.client.download(site.newest()[1]) == content


@pytest.mark.parametrize("send", [by_form, by_tus])
@pytest.mark.parametrize(
    ("size", "method", "having", "fault"),
    [
        ("small", "PUT", "", Answer(503, "SlowDown")),
        ("small", "PUT", "", LoseAnswer()),
        ("small", "PUT", "", Delay(60)),
        ("small", "GET", "", Flip(5 * FRAME_LENGTH + 20)),
        ("small", "GET", "", Serve(b"another object", '"?"')),
        ("large", "POST", "uploads", Answer(500, "InternalError")),
        ("large", "PUT", "partNumber=1", Tag('"lies"')),
        ("large", "POST", "uploadId=", AnswerAfter(500, "InternalError")),
        ("large", "POST", "uploadId=", Answer(200, "InternalError")),
    ],
    ids=str,
)
def test_a_fault_that_stays_is_told_and_leaves_nothing_half_there(
    site: Faulty, send: Door, size: str, method: str, having: str, fault: Fault
) -> None:
    content = CONTENTS[size]
    name = f"stays-{random.getrandbits(64)}"
    site.network.fail(fault, method=method, having=having, times=ALWAYS)
    begun = time.monotonic()
    status, page = send(site, name, content)
    assert time.monotonic() - begun < 30
    assert status in ((503,) if send is by_form else (503, 410)), page
    if status == 503:
        assert "Nothing was stored" in page
        assert "try again" in page
    assert times_there(site, name) == 0
    site.network.heal()
    # The same again: a resumed upload goes on, a lost one begins anew.
    for _ in range(2):
        status, page = send(site, name, content)
        if status in (302, 204):
            break
    assert status in (302, 204), page
    assert times_there(site, name) == 1
    assert site.client.download(site.newest()[1]) == content


# --- Downloads --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(running: Faulty) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two files of one content: the object's name and the id of each."""
    running.network.heal()
    made = []
    for name in ("one", "two"):
        assert by_form(running, name, SMALL)[0] == 302
        made.append(running.newest())
    return made[0], made[1]


@pytest.fixture
def path(site: Faulty) -> str:
    """Where the bytes of a new file are."""
    assert by_form(site, f"new-{random.getrandbits(64)}", SMALL)[0] == 302
    return f"/files/{site.newest()[1]}/download/"


@pytest.mark.parametrize(
    "fault",
    [
        Answer(503, "SlowDown"),
        Reset(0),
        Reset(2 * FRAME_LENGTH + 5),
        EndEarly(3 * FRAME_LENGTH),
        Flip(2 * FRAME_LENGTH + 1000),
        Delay(TIMEOUT + 2),
        Tag('"lies"'),
    ],
    ids=str,
)
def test_a_download_outlives_a_fault_that_passes(
    site: Faulty, two: tuple[tuple[str, str], ...], fault: Fault
) -> None:
    name, file_id = two[0]
    site.network.fail(fault, having=name)
    assert site.client.download(file_id) == SMALL


@pytest.mark.parametrize(
    "fault", [Answer(503, "SlowDown"), Answer(500), Reset(100), EndEarly(9), Delay(60)], ids=str
)
def test_an_outage_is_a_page_that_says_what_to_do(
    site: Faulty, two: tuple[tuple[str, str], ...], fault: Fault
) -> None:
    name, file_id = two[0]
    site.network.fail(fault, having=name, times=ALWAYS)
    begun = time.monotonic()
    answer, page = site.client.request("GET", f"/files/{file_id}/download/")
    assert time.monotonic() - begun < 4 * ATTEMPTS * TIMEOUT + 5
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Content-Disposition" not in answer.headers
    assert b"Wait a few seconds, then try again" in page
    site.network.heal()
    assert site.client.download(file_id) == SMALL


def test_other_bytes_are_a_page_and_none_of_them_is_sent(
    site: Faulty, two: tuple[tuple[str, str], ...]
) -> None:
    """Swapped, rolled back, cut, or not ours at all; with a right ETag, too."""
    other, _ = two[1]
    assert by_form(site, "victim", SMALL)[0] == 302
    victim, file_id = site.newest()
    _own, etag = site.raw(victim)
    theirs, their_etag = site.raw(other)
    for served in (
        Serve(theirs, their_etag),
        Serve(theirs, etag),
        Serve(theirs[:-1], etag),
        Serve(b"", etag),
        Serve(SMALL, etag),
        Serve(b"<html>500</html>", '"?"'),
    ):
        site.network.fail(served, having=victim, times=ALWAYS)
        answer, page = site.client.request("GET", f"/files/{file_id}/download/")
        assert answer.status == 502
        assert b"Tell an administrator to restore it" in page
        assert SMALL[:16] not in page
        site.network.heal()
        with closing(sqlite3.connect(site.server.database, timeout=30)) as database, database:
            state = "SELECT state FROM files_storedobject WHERE object_name = ?"
            assert database.execute(state, [victim]).fetchone() == ("damaged",)
            unmark = "UPDATE files_storedobject SET state = 'live' WHERE object_name = ?"
            database.execute(unmark, [victim])
    assert site.client.download(file_id) == SMALL


@pytest.mark.parametrize(
    "fault", [Flip(3 * FRAME_LENGTH + 99), EndEarly(3 * FRAME_LENGTH + 5), Reset(0)], ids=str
)
def test_a_fault_in_the_middle_ends_the_body_short(site: Faulty, path: str, fault: Fault) -> None:
    name, _ = site.newest()
    if isinstance(fault, Flip):
        site.network.fail(fault, having=name, times=ALWAYS)
    else:
        site.network.fail(EndEarly(3 * FRAME_LENGTH + 5), having=name)
        site.network.fail(EndEarly(5), having=name, times=ALWAYS)
    with pytest.raises(http.client.IncompleteRead) as cut:
        site.client.request("GET", path)
    assert cut.value.partial == SMALL[: 3 * F]


def test_an_object_replaced_in_the_middle_ends_the_body_short(site: Faulty, path: str) -> None:
    name, _ = site.newest()
    raw, _etag = site.raw(name)
    site.network.fail(EndEarly(3 * FRAME_LENGTH + 5), having=name)
    site.network.fail(Serve(raw, '"another version"'), having=name, times=ALWAYS)
    with pytest.raises(http.client.IncompleteRead) as cut:
        site.client.request("GET", path)
    assert cut.value.partial == SMALL[: 3 * F]


def test_what_was_given_up_is_swept_though_it_arrives_late(site: Faulty) -> None:
    """The upload has failed and was taken back when the store gets to see it after all."""
    site.network.fail(Delay(60), method="PUT", times=ALWAYS)
    before = site.objects()
    assert by_form(site, "late", SMALL)[0] == 503
    site.network.heal()
    assert eventually(lambda: bool(site.objects() - before))
    long_ago = "UPDATE files_storedobject SET state_changed_at = '2001-01-01 00:00:00'"
    with closing(sqlite3.connect(site.server.database, timeout=30)) as database, database:
        # Whatever the other tests have left, too.
        database.execute(f"{long_ago} WHERE state IN ('writing', 'doomed')")
    site.server.manage("sweep")
    assert site.untidy() == []
