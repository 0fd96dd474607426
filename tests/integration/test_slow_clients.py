"""Whoever is slow, on purpose or on a bad line, holds nobody else up: with a proxy, and without.

The deployment is the documented one: `deploy/serve` and `deploy/nginx.conf`. Without a proxy it is
what `make run` serves.
"""

from __future__ import annotations

import base64
import socket
import sqlite3
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

import pytest

from launcher.ports import LOOPBACK
from tests.conftest import Weed
from tests.files.multipart import CONTENT_TYPE, body, field, file
from tests.integration.deployment import (
    FORM,
    HOST,
    Address,
    Alone,
    Deployment,
    Visitor,
    cookie_of,
    cookies_of,
    people,
)
from tests.integration.forms import eventually
from tests.integration.slow import Campaign, Slow, head

pytestmark = pytest.mark.alone

MIB = 2**20
BYTES = "application/offset+octet-stream"
SECONDS = 12.0
"""How long a test of every day looks; `make soak` looks for a minute."""

STORE = """
from accounts.members import ensure_members_group
from accounts.models import User
from files.vault import storing
from files.models import Grant
owner = User.objects.get(username="visitor")
record = storing.store(owner, [bytes(1 << 20)] * 24, name="large.bin")
Grant.objects.create(file=record, group=ensure_members_group(), granted_by=owner)
print(record.pk)
"""


# --- The clients ------------------------------------------------------------------------------

LENGTH = {"Content_Length": "1000"}
KIND = {"Content_Type": FORM["Content-Type"]}


def strangers(address: Address, number: int) -> list[Slow]:
    """Nobody's clients, at every door that may wait for something."""
    form = b"login=alice&password=" + b"x" * 979
    sign_in = ("POST", "/accounts/login/")
    tus = {"Tus_Resumable": "1.0.0", "Cookie": f"csrftoken={'a' * 32}"}
    kinds = [
        Slow("sign-in", head(address, *sign_in, **LENGTH, **KIND), form),
        Slow("head", f"GET / HTTP/1.1\r\nHost: {address.host}\r\nX-A: ".encode(), b"a" * 1000),
        Slow("HTTP/1.0", b"POST /accounts/login/ HTTP/1.0\r\nContent-Length: 1000\r\n\r\n", form),
        Slow(
            "chunks",
            head(address, *sign_in, Transfer_Encoding="chunked", **KIND),
            b"1\r\na\r\n" * 200,
        ),
        Slow("asks first", head(address, *sign_in, Expect="100-continue", **LENGTH, **KIND), form),
        Slow("admin", head(address, "POST", "/admin/login/", **LENGTH, **KIND), form),
        Slow("reset", head(address, "POST", "/accounts/password/reset/", **LENGTH, **KIND), form),
        Slow("tus, a form", head(address, "POST", "/uploads/", **LENGTH, **KIND, **tus), form),
        Slow(
            "tus, a form of files",
            head(address, "POST", "/uploads/", **LENGTH, Content_Type=CONTENT_TYPE, **tus),
            form,
        ),
        Slow(
            "tus",
            head(
                *(address, "PATCH", f"/uploads/{uuid.uuid4()}"),
                **{**LENGTH, "Content_Type": BYTES, **tus},
            ),
            form,
        ),
        Slow(
            "form",
            head(address, "POST", "/files/upload/", **LENGTH, Content_Type=CONTENT_TYPE),
            form,
        ),
        Slow("nothing", b"", b"G" * 1000),
    ]
    return [kinds[n % len(kinds)] for n in range(number)]


def uploads(address: Address, cookie: str, number: int) -> list[Slow]:
    """Uploads that somebody has begun, by form and by tus in turn."""
    token = cookie_of(cookie, "csrftoken")
    form = body(field("csrfmiddlewaretoken", token), file("slow.bin", b"x" * 100))[:-60]
    found = []
    for n in range(number):
        if n % 2:
            told = {"Tus_Resumable": "1.0.0", "Upload_Offset": "0", "X_CSRFToken": token}
            door = ("PATCH", begin_upload(address, cookie), BYTES, b"")
        else:
            told, door = {}, ("POST", "/files/upload/", CONTENT_TYPE, form)
        method, path, kind, first = door
        told |= {"Content_Type": kind, "Content_Length": str(MIB), **own(cookie)}
        found.append(Slow(method, head(address, method, path, **told) + first, b"x" * 1000))
    return found


def own(cookie: str) -> dict[str, str]:
    return {"Cookie": cookie, "Referer": f"https://{HOST}/"}


def begin_upload(address: Address, cookie: str) -> str:
    visitor = Visitor(address, cookies_of(cookie))
    told = {
        "Tus-Resumable": "1.0.0",
        "X-CSRFToken": visitor.cookies["csrftoken"],
        "Upload-Length": str(MIB),
        "Upload-Metadata": f"filename {base64.b64encode(b'slow.bin').decode()}",
    }
    status, headers, _ = visitor.ask("POST", "/uploads/", b"", **told)
    assert status == 201
    return "/uploads/" + headers["Location"].rpartition("/")[2]


def downloads(address: Address, cookie: str, file_id: str, number: int) -> list[Slow]:
    """Downloads whose reader takes a byte now and then: whole, a range, an archive."""
    fields = {"csrfmiddlewaretoken": cookie_of(cookie, "csrftoken"), "file": file_id}
    form = urlencode(fields).encode()
    path = f"/files/{file_id}/download/"
    asked = {**own(cookie), **KIND, "Content_Length": str(len(form))}
    kinds = [
        Slow("download", head(address, "GET", path, **own(cookie))),
        Slow("range", head(address, "GET", path, **own(cookie), Range=f"bytes={MIB}-")),
        Slow("archive", head(address, "POST", "/files/download/", **asked) + form),
    ]
    return [kinds[n % len(kinds)] for n in range(number)]


# --- Everybody else ---------------------------------------------------------------------------


class Look:
    """One who looks at the site again and again, and takes the time of every answer."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._visitor = Visitor(address)
        assert self._visitor.sign_in() == 302
        self.times: list[tuple[float, str]] = []
        self.wrong: list[tuple[str, int]] = []

    def look(self, seconds: float) -> float:
        """A page, a probe and a sign-in each second; what the median of the slowest of each was."""
        end, slowest = time.monotonic() + seconds, []
        with ThreadPoolExecutor(3) as pool:
            while (begun := time.monotonic()) < end:
                asked = [pool.submit(ask) for ask in (self._page, self._probe, self._sign_in)]
                slowest.append(max(one.result() for one in asked))
                time.sleep(max(begun + 1 - time.monotonic(), 0))
        return statistics.median(slowest)

    def _page(self) -> float:
        return self._timed("page", lambda: self._visitor.ask("GET", "/files/")[0], 200)

    def _probe(self) -> float:
        return self._timed("probe", lambda: Visitor(self._address).ask("GET", "/healthz")[0], 200)

    def _sign_in(self) -> float:
        return self._timed("sign-in", Visitor(self._address).sign_in, 302)

    def _timed(self, name: str, ask: Callable[[], int], wanted: int) -> float:
        begun = time.monotonic()
        status = ask()
        taken = time.monotonic() - begun
        self.times.append((taken, name))
        if status != wanted:
            self.wrong.append((name, status))
        return taken


def require_that_nobody_waits(
    address: Address, clients: list[Slow], seconds: float, *, kinds: set[str]
) -> None:
    """Look while the clients are at it. `kinds` are those that are let in, and held."""
    look = Look(address)
    # What the machine takes for the same without them, whatever else it has to do.
    quiet = look.look(4)
    campaign = Campaign(address, clients)
    with campaign.running():
        look.look(seconds)
    assert not look.wrong
    # The machine has other work, too: one in ten may come late, and none as late as one who waits
    # until a slow client is given up.
    late = [one for one in look.times if one[0] > 1 + 3 * quiet]
    assert len(late) <= len(look.times) / 10, (quiet, late)
    assert max(look.times) < (10, ""), (quiet, late)
    # They were what they were meant to be: answered at once where they have no business, and held
    # where they have.
    told = {name for name, status in campaign.answers if status == "408"}
    assert not told & kinds or seconds > 15, campaign.answers
    assert campaign.answers["form", "302"]
    assert campaign.answers["range", "206"]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Deployment]:
    found = Deployment(tmp_path_factory.mktemp("deployment"), weed, servers=2)
    with found.running():
        yield found


def behind_the_proxy(deployment: Deployment, seconds: float) -> None:
    address = Address(deployment.port, HOST, deployment.context)
    cookies = people(deployment.installation, 20)
    [file_id] = deployment.installation.python(STORE)
    clients = strangers(address, 300)
    for cookie in cookies:
        clients += uploads(address, cookie, 5) + downloads(address, cookie, file_id, 5)
    require_that_nobody_waits(address, clients, seconds, kinds={"PATCH", "POST"})


def test_nobody_waits_for_them_behind_the_proxy(deployment: Deployment) -> None:
    behind_the_proxy(deployment, SECONDS)


# --- Without a proxy --------------------------------------------------------------------------

PATIENT = {"FORM_PATIENCE": "2", "UPLOAD_PATIENCE": "3", "DOWNLOAD_PATIENCE": "4"}
"""So that a test need not wait for long."""


def without_a_proxy(folder: Path, weed: Weed, seconds: float) -> None:
    alone = Alone(folder, weed)
    with alone.running():
        cookies = people(alone.installation, 4)
        [file_id] = alone.installation.python(STORE)
        clients = strangers(alone.address, 60)
        for cookie in cookies:
            clients += uploads(alone.address, cookie, 5)
            clients += downloads(alone.address, cookie, file_id, 5)
        require_that_nobody_waits(alone.address, clients, seconds, kinds={"PATCH", "POST"})


def test_nobody_waits_for_them_without_a_proxy(tmp_path: Path, weed: Weed) -> None:
    without_a_proxy(tmp_path, weed, SECONDS)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Alone]:
    found = Alone(tmp_path_factory.mktemp("alone"), weed, **PATIENT, LOWEST_RATE="1KiB")
    with found.running():
        yield found


@pytest.fixture
def cookie(alone: Alone) -> str:
    """Somebody new, who is signed in."""
    [made] = people(alone.installation, 1)
    return made


@pytest.fixture(scope="module")
def file_id(alone: Alone) -> str:
    people(alone.installation, 0)
    [found] = alone.installation.python(STORE)
    return found


def told(address: Address, client: Slow, seconds: float = 40) -> tuple[int, str]:
    """Send a byte now and then until an answer comes; its status and its page."""
    with socket.create_connection((LOOPBACK, address.port), timeout=0.5) as connection:
        connection.sendall(client.head)
        received, left = b"", iter(client.trickle)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(TimeoutError):
                if not (data := connection.recv(65536)):
                    break
                received += data
                continue
            with suppress(OSError):
                connection.sendall(
                    bytes([byte for byte in (next(left, None),) if byte is not None])
                )
        else:
            pytest.fail(f"after {seconds} seconds nothing ended it: {received!r}")
    text = received.decode().replace("HTTP/1.1 100 Continue\r\n\r\n", "")
    return int(text[9:12] or 0), text


DOORS = ("/accounts/login/", "/admin/login/", "/accounts/password/reset/", "/nowhere")
WAYS = ("byte by byte", "silent", "asks first", "a part at once")


def test_a_form_that_comes_too_slowly_is_told_so(alone: Alone) -> None:
    """Each way at each door, all at once: they only wait."""

    def answer(case: tuple[str, str]) -> tuple[int, str]:
        door, how = case
        form = b"login=alice&password=" + b"x" * 979
        more = {"Expect": "100-continue"} if how == "asks first" else {}
        asked = head(alone.address, "POST", door, **LENGTH, **KIND, **more, Accept="text/plain")
        trickle = b"" if how == "silent" else form
        first = form[:300] if how == "a part at once" else b""
        return told(alone.address, Slow(how, asked + first, trickle))

    cases = list(product(DOORS, WAYS))
    with ThreadPoolExecutor(len(cases)) as pool:
        for case, (status, text) in zip(cases, pool.map(answer, cases), strict=True):
            assert status == 408, (case, text)
            assert "for 2 seconds" in text, case
            assert "Nothing was changed" in text, case


def test_an_upload_by_form_that_stands_still_is_told_so(alone: Alone, cookie: str) -> None:
    [upload] = uploads(alone.address, cookie, 1)
    status, text = told(alone.address, upload)
    assert status == 408, text
    assert "Nothing was stored" in text


@pytest.mark.parametrize("came", [0, 300])
def test_a_resumable_upload_that_stands_still_keeps_what_came(
    alone: Alone, cookie: str, came: int
) -> None:
    _, upload = uploads(alone.address, cookie, 2)
    status, text = told(alone.address, Slow("tus", upload.head + b"x" * came))
    assert status == (204 if came else 408), text
    assert f"upload-offset: {came}\r\n" in text.lower()
    if not came:
        assert "for 3 seconds" in text


TOKEN = """
from datetime import timedelta
from django.utils import timezone
from accounts import tokens
from accounts.models import User
from files.tree import placing
user = User.objects.get(username="visitor")
print(tokens.make(user, name="tests", scopes=["read", "add"], actor=user,
                  expires_at=timezone.now() + timedelta(days=1)).text)
print(placing.root_of(user).pk)
"""


@pytest.mark.parametrize("what", ["a file", "half a file", "JSON"])
def test_a_program_whose_body_stands_still_is_told_so(
    alone: Alone, file_id: str, what: str
) -> None:
    token, root = alone.installation.python(TOKEN)
    sent = {"Authorization": f"Bearer {token}", **LENGTH}
    if what == "JSON":
        asked = ("POST", f"/api/v1/folders/{root}/folders")
        sent["Content_Type"] = "application/json"
    else:
        asked = ("PUT", "/api/v1/content/slow.bin")
    first = b"x" * 300 if what == "half a file" else b""
    status, text = told(alone.address, Slow(what, head(alone.address, *asked, **sent) + first))
    assert status == 408, text
    assert '"code": "too_slow"' in text
    listed = head(
        *(alone.address, "GET", "/api/v1/content/slow.bin"),
        **{"Authorization": f"Bearer {token}", "Connection": "close"},
    )
    assert told(alone.address, Slow("is it there?", listed))[0] == 404


def test_a_download_that_nobody_takes_ends(alone: Alone, file_id: str) -> None:
    """Whole, a range, an archive; by a client that reads a byte now and then, or nothing."""
    cases = list(product([True, False], range(3)))
    with ExitStack() as stack:
        readers = []
        for (reads, kind), cookie in zip(
            cases, people(alone.installation, len(cases)), strict=True
        ):
            slow = downloads(alone.address, cookie, file_id, 3)[kind]
            connection = stack.enter_context(slow_reader(alone.address, slow))
            readers.append((f"{slow.name}, {reads=}", reads, connection))
        assert eventually(lambda: running(alone) == len(readers))

        def ended() -> bool:
            for _, reads, connection in readers:
                if reads:
                    with suppress(OSError):
                        connection.recv(1)
            return running(alone) == 0

        assert eventually(ended, 60)
        for case, _, connection in readers:
            # What its client sees is an end before the length that it was told.
            assert received_by(connection) < 20 * MIB, case


def slow_reader(address: Address, slow: Slow) -> socket.socket:
    connection = socket.socket()
    # What is not read stays with the server.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect((LOOPBACK, address.port))
    connection.sendall(slow.head)
    return connection


def received_by(connection: socket.socket) -> int:
    total = 0
    with suppress(OSError):
        while data := connection.recv(65536):
            total += len(data)
    return total


def running(alone: Alone) -> int:
    """How many requests of downloads are running, by the database."""
    with closing(sqlite3.connect(alone.database, timeout=30)) as data:
        rows = data.execute(
            "SELECT coalesce(sum(running), 0) FROM files_downloadsession"
        ).fetchall()
    return int(rows[0][0])


def test_an_honest_slow_line_is_waited_for(alone: Alone, cookie: str, file_id: str) -> None:
    """Twice the lowest rate, for longer than anybody is waited for."""
    address, seconds = alone.address, 10
    path = f"/files/{file_id}/download/"
    asked = head(address, "GET", path, Cookie=cookie, Range=f"bytes=0-{8 * MIB - 1}")
    _, upload = uploads(address, cookie, 2)
    length = 2048 * seconds
    whole = upload.head.replace(
        f"Content-Length: {MIB}".encode(), f"Content-Length: {length}".encode()
    )
    with (
        slow_reader(address, Slow("download", asked)) as download,
        socket.create_connection((LOOPBACK, address.port), timeout=30) as sending,
    ):
        sending.sendall(whole)
        for _ in range(seconds):
            sending.sendall(b"x" * 2048)
            took = 0
            while took < 200_000:
                took += len(download.recv(200_000 - took))
            time.sleep(1)
        assert b" 204 " in sending.recv(65536)
        assert received_by(download) > 8 * MIB - seconds * 200_000 - 4096
