"""Sixty-four threads, and PostgreSQL with forty connections: nobody is told to come again.

The programs and their settings are those that we ship: `deploy/serve`, `deploy/pgbouncer.ini`, the
site's own defaults. Forty of the threads stand still in transfers all the while.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest

from launcher.ports import LOOPBACK
from tests.conftest import PASSWORD, Weed
from tests.files.multipart import file
from tests.integration import forms, prepared, services
from tests.integration.deployment import FORM, HOST, Address, Pool, Visitor, token_in
from tests.integration.installation import Installation
from tests.integration.services import Postgres, wait_until
from tests.integration.tus import Client

CONTENT = random.Random(8).randbytes(8 << 20)  # noqa: S311  the same in every run
"""More than sockets and buffers on the way hold, so that a server has to wait for its reader."""
PIECE = CONTENT[: 1 << 20]
BEGUN = 300_000
"""Bytes that a slow upload has sent when it stands still: a frame, and some more."""

CROWD = [f"person{number}" for number in range(64)]
SIGNING_IN = set(CROWD[::4])
"""Those who come with a password; the others are signed in. Hashes take most of a test's time."""
SLOW = [f"slow{number}" for number in range(4)]
PEOPLE = """
import json, sys
from django.test import Client
from accounts.members import ensure_members_group
from accounts.models import User
first, *names = sys.argv[2:]
password = User.objects.create_user(first, first + "@example.org", sys.argv[1]).password
User.objects.bulk_create(
    User(username=name, email=name + "@example.org", password=password) for name in names
)
ensure_members_group().user_set.set(User.objects.all())
made = {}
for user in User.objects.filter(username__in=[first, *names]):
    client = Client()
    client.force_login(user)
    made[user.username] = client.cookies["sessionid"].value
print(json.dumps(made))
"""
EVENTS = """
import json
from collections import Counter
from audit.models import AuditEvent
print(json.dumps(Counter(AuditEvent.objects.values_list("event", flat=True))))
"""


@dataclass(frozen=True)
class Shape:
    """How the threads are spread, what is between them and PostgreSQL, and how many stand still.

    Processes share one socket, and whoever is quicker takes what comes: on a busy machine, one may
    have nearly all of it. So no more stand still than one has places for.
    """

    name: str
    processes: int
    threads: int
    slow: int
    pooler: bool

    def __str__(self) -> str:
        return self.name


SHAPES = [
    Shape("one process", 1, 64, 20, pooler=False),
    Shape("two processes behind PgBouncer", 2, 32, 11, pooler=True),
]


@dataclass
class Crowded:
    """The site that the crowd comes to."""

    shape: Shape
    installation: Installation
    database: Postgres
    pool: Pool
    sessions: dict[str, str]
    used: list[int] = field(default_factory=list)

    def client(self, name: str) -> Client:
        """Somebody of that name, signed in: some of them only now."""
        client = Client(self.pool.port)
        if name in SIGNING_IN:
            return client.sign_in(name)
        token = "b" * 32
        client.headers = {
            "Cookie": f"sessionid={self.sessions[name]}; csrftoken={token}",
            "X-CSRFToken": token,
            "Tus-Resumable": "1.0.0",
        }
        return client

    def events(self) -> Counter[str]:
        [line] = self.installation.python(EVENTS)
        return Counter(json.loads(line))

    def under_way(self) -> list[int]:
        """How many uploads have begun, how many of them are resumable, and how many downloads."""
        counts = (
            "SELECT count(*) FROM files_storedobject WHERE state = 'writing'",
            "SELECT count(*) FROM files_storedobject WHERE lease <> ''",
            "SELECT coalesce(sum(running), 0) FROM files_downloadsession",
        )
        [line] = self.database.query("SELECT " + ", ".join(f"({count})" for count in counts))
        return [int(count) for count in line.split("|")]

    def refused(self) -> list[str]:
        """What its log says of requests that it did not take."""
        lines = self.pool.log.read_text(errors="replace").splitlines()
        return [line for line in lines if '"status": 5' in line or '"status": 429' in line]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count connections to the database all the while."""
        over = threading.Event()

        def watch() -> None:
            count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            while not over.wait(0.5):
                self.used.append(int(self.database.query(count)[0]))

        with ThreadPoolExecutor(1) as one:
            watching = one.submit(watch)
            try:
                yield
            finally:
                over.set()
            watching.result()


@contextmanager
def served(
    shape: Shape, folder: Path, weed: Weed, database: Postgres, url: str
) -> Iterator[Crowded]:
    """`deploy/serve all` on this database, as `migrate` leaves it."""
    more = {
        "HTTPS": "false",
        "ACCEPT_PLAIN_HTTP": "true",
        "ALLOWED_HOSTS": f"{HOST},{LOOPBACK}",
        "STATIC_ROOT": str(folder / "static"),
    }
    if shape.pooler:
        session = url.replace("/securestore", "/securestore_session")
        more |= {"DATABASE_POOLER": "pgbouncer", "DATABASE_SESSION_URL": session}
    site = Installation(folder / "site", weed, f"crowd-{time.time_ns():x}", url, more=more)
    prepared.static(folder / "static")
    site.run("manage.py setup_vault")
    [sessions] = site.python(PEOPLE, PASSWORD, *CROWD, *SLOW)
    spread = {"WORKERS": str(shape.processes), "THREADS": str(shape.threads), "GRACE": "5"}
    pool = Pool("all", {**site.environment(), **spread}, folder / "web.log")
    pool.start()
    try:
        yield Crowded(shape, site, database, pool, json.loads(sessions))
    finally:
        pool.stop()


@pytest.fixture(params=[pytest.param(SHAPES[0], marks=pytest.mark.soak), SHAPES[1]], ids=str)
def site(request: pytest.FixtureRequest, tmp_path: Path, weed: Weed) -> Iterator[Crowded]:
    shape = request.param
    with ExitStack() as stack:
        database = stack.enter_context(services.postgres(migrated=True, max_connections="40"))
        url = database.url
        if shape.pooler:
            url = stack.enter_context(services.pgbouncer(database)).url("securestore")
        yield stack.enter_context(served(shape, tmp_path, weed, database, url))


# --- Who stands still -------------------------------------------------------------------------


def download_begun(client: Client, file_id: str) -> socket.socket:
    """A download of which nothing is read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(120)
    connection.connect((LOOPBACK, client.port))
    lines = {"Host": f"{LOOPBACK}:{client.port}", "Cookie": client.headers["Cookie"]}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    connection.sendall(f"GET /files/{file_id}/download/ HTTP/1.1\r\n{head}\r\n".encode())
    return connection


def the_rest(connection: socket.socket) -> bytes:
    """Read it now, as fast as it comes: with a window of a few packets it would take minutes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert answer.status == 200
    return answer.read()


@dataclass
class Slow:
    """What people have begun, each of them the same, and left to stand."""

    stack: ExitStack
    patches: list[tuple[Client, str, socket.socket]] = field(default_factory=list)
    posts: list[tuple[socket.socket, bytes]] = field(default_factory=list)
    downloads: list[socket.socket] = field(default_factory=list)

    def begin(self, people: list[Client], file_ids: list[str], number: int) -> None:
        """As many uploads as downloads; half of the uploads are forms."""
        for one in range(number):
            client = people[one % len(people)]
            file_id = file_ids[one % len(people)]
            if one % 2:
                path = client.create(len(PIECE), f"slow-{one}")
                connection = client.patch_begun(path, PIECE, 0, BEGUN)
                self.patches.append((client, path, connection))
            else:
                data = forms.form(client, file(f"slow-{one}", PIECE))
                connection = forms.begin(client, data[:BEGUN], len(data))
                self.posts.append((connection, data))
            self.stack.enter_context(connection)
            self.downloads.append(self.stack.enter_context(download_begun(client, file_id)))

    @property
    def begun(self) -> list[int]:
        """As `under_way` counts them."""
        return [len(self.patches) + len(self.posts), len(self.patches), len(self.downloads)]

    def end(self) -> None:
        """All of it arrives, whole."""
        for _client, _path, connection in self.patches:
            connection.sendall(PIECE[BEGUN:])
        for connection, data in self.posts:
            connection.sendall(data[BEGUN:])
        for client, path, connection in self.patches:
            assert connection.recv(4096).startswith(b"HTTP/1.1 204")
            assert client.download(client.head(path)[1] or "") == PIECE
        for connection, _data in self.posts:
            assert forms.answer(connection)[0] == 302
        for connection in self.downloads:
            assert the_rest(connection) == CONTENT


# --- Who comes and goes -----------------------------------------------------------------------


def somebody(site: Crowded, name: str) -> None:
    """Sign in, look at pages, upload by both doors, download."""
    client = site.client(name)
    content = name.encode() * 10_000
    made = client.create(len(content), f"of-{name}", data=content)
    stored = client.head(made)[1] or ""
    assert forms.post(client, forms.form(client, file(f"form-{name}", content)))[0] == 302
    for path in ("/files/", f"/files/{stored}/", "/files/upload/", f"/files/{stored}/history/"):
        assert client.request("GET", path)[0].status == 200, path
    assert client.download(stored) == content


def test_a_crowd_needs_fewer_connections_than_it_has_threads(site: Crowded) -> None:
    """Every answer is right, none of them a refusal, and every event is in the log."""
    shape, number = site.shape, len(CROWD)
    people = [site.client(name) for name in SLOW]
    paths = [client.create(len(CONTENT), "large", data=CONTENT) for client in people]
    ids = [client.head(path)[1] or "" for client, path in zip(people, paths, strict=True)]
    before = site.events()
    with ExitStack() as stack, site.watched():
        slow = Slow(stack)
        slow.begin(people, ids, shape.slow)
        wait_until(lambda: site.under_way() == slow.begun, 60)
        with ThreadPoolExecutor(number) as crowd:
            list(crowd.map(lambda name: somebody(site, name), CROWD))
        # They stood there all the while; what the crowd had asked for has just ended.
        wait_until(lambda: site.under_way() == slow.begun, 30)
        slow.end()
    assert site.refused() == []
    # The pools of all processes, or PgBouncer's; the test's own look, and the events'.
    assert max(site.used) <= (20 if shape.pooler else 8 * shape.processes) + 2
    wait_until(lambda: site.under_way() == [0, 0, 0], 30)
    made = site.events() - before
    assert made["signed_in"] == len(SIGNING_IN)
    assert made["file_uploaded"] == 2 * number + shape.slow
    assert made["file_downloaded"] == number + shape.slow + len(slow.patches)
    site.installation.run("manage.py verify_audit")


# --- Passwords --------------------------------------------------------------------------------

AT_ONCE = 32
HASH = 100 * 2**20
"""Bytes of memory that one password takes while it is looked at; as many as two may at once."""


def worker_of(pool: Pool) -> Path:
    """The folder of its one process, in /proc."""
    assert pool.child is not None
    main = Path(f"/proc/{pool.child.pid}/task/{pool.child.pid}/children")
    [worker] = main.read_text().split()
    return Path("/proc") / worker


def peak(worker: Path) -> int:
    """The most bytes of memory that it has held."""
    [line] = [
        one for one in (worker / "status").read_text().splitlines() if one.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("site", SHAPES[:1], indirect=True, ids=str)
def test_who_signs_in_at_once_with_many_is_let_in_or_told_in_words_to_come_again(
    site: Crowded,
) -> None:
    address, together = Address(site.pool.port), threading.Barrier(AT_ONCE)
    before = site.events()
    # One alone first: what a process loads once is no price of a crowd.
    assert Visitor(address).sign_in(SLOW[0]) == 302
    worker = worker_of(site.pool)
    (worker / "clear_refs").write_text("5")  # Its peak begins anew (proc(5)).
    held = peak(worker)

    def come(name: str) -> tuple[int, str, str, float]:
        visitor = Visitor(address)
        token = token_in(visitor.ask("GET", "/accounts/login/")[2])
        form = {"login": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
        together.wait(120)
        begun = time.monotonic()
        status, headers, page = visitor.ask(
            "POST", "/accounts/login/", urlencode(form).encode(), **FORM
        )
        return status, headers.get("Retry-After", ""), page.decode(), time.monotonic() - begun

    with ThreadPoolExecutor(AT_ONCE) as crowd:
        answers = list(crowd.map(come, CROWD[:AT_ONCE]))
    let_in = 0
    for status, retry, page, _ in answers:
        if status == 302:
            let_in += 1
        else:
            assert (status, retry.isdigit()) == (503, True), page
            assert "password" in page
    # However slow the machine: two at a time, for as long as one waits.
    assert let_in >= 2
    assert site.events()["signed_in"] - before["signed_in"] == let_in + 1
    assert peak(worker) - held < 3 * HASH, "more passwords than two were looked at at once"
