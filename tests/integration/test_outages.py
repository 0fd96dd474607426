"""A database or a cache that is killed, that hangs, or that takes no writes, and a site on them.

Every kind of door is tried meanwhile. Each answer is right, or a 503 in words within the time-outs;
when the part is back, all is well without a restart.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from accounts import token_text
from securestore.health import FRESH
from tests.conftest import PASSWORD, Weed
from tests.files.multipart import CONTENT_TYPE, file
from tests.integration import services
from tests.integration.forms import UPLOAD, form
from tests.integration.services import Deployment, Postgres, Redis, wait_until
from tests.integration.tus import Client

TOKEN = "metrics-token-of-the-tests"
TIMEOUT, CONNECT, IDLE, STATEMENT, CACHE = 2, 2, 4, 4, 1
# A request may wait for several parts, one after the other, and the machine is busy.
LONGEST = TIMEOUT + CONNECT + STATEMENT + 10
SETTINGS = {
    "DATABASE_TIMEOUT": str(TIMEOUT),
    "DATABASE_CONNECT_TIMEOUT": str(CONNECT),
    "DATABASE_STATEMENT_TIMEOUT": str(STATEMENT),
    "DATABASE_IDLE_TIMEOUT": str(IDLE),
    "CACHE_TIMEOUT": str(CACHE),
    "METRICS_TOKEN": TOKEN,
}
KIND = {"Content-Type": "application/x-www-form-urlencoded"}
TUS = {"Content-Type": "application/offset+octet-stream"}


MAKE_TOKEN = """
from datetime import timedelta
from django.utils import timezone
from accounts import tokens
from accounts.models import User
alice = User.objects.get(username="alice")
made = tokens.make(alice, name="tests", scopes=["read", "add"], actor=alice,
                   expires_at=timezone.now() + timedelta(days=1))
open({path!r}, "w").write(made.text)
"""

Answer = tuple[http.client.HTTPResponse, bytes]


@dataclass
class Site:
    """A site that runs, with somebody signed in who owns a file of five bytes."""

    server: Deployment
    client: Client
    file_id: str
    token: str
    """Of a program of the same person's."""

    def ask(self, door: str) -> tuple[int, str, float]:
        """Try a door; the status, the page, and the seconds that it took."""
        begun = time.monotonic()
        answer, page = getattr(self, f"_{door}")()
        assert answer.headers["X-Request-ID"]
        return answer.status, page.decode(errors="replace"), time.monotonic() - begun

    def _list(self) -> Answer:
        return self.client.request("GET", "/files/")

    def _sign_in_page(self) -> Answer:
        return Client(self.server.port).request("GET", "/accounts/login/")

    def _sign_in(self) -> Answer:
        stranger = Client(self.server.port)
        token = "a" * 32
        fields = {"login": "alice", "password": PASSWORD, "csrfmiddlewaretoken": token}
        cookie = {"Cookie": f"csrftoken={token}"}
        return stranger.request(
            "POST", "/accounts/login/", urlencode(fields).encode(), **KIND, **cookie
        )

    def _download(self) -> Answer:
        return self.client.request("GET", f"/files/{self.file_id}/download/")

    def _range(self) -> Answer:
        return self.client.request("GET", f"/files/{self.file_id}/download/", Range="bytes=1-3")

    def _zip(self) -> Answer:
        fields = {"file": self.file_id, "csrfmiddlewaretoken": self.client.headers["X-CSRFToken"]}
        return self.client.request("POST", "/files/download/", urlencode(fields).encode(), **KIND)

    def _form(self) -> Answer:
        body = form(self.client, file("by-form", b"x" * 1000))
        kept = {name: value for name, value in self.client.headers.items() if "Tus" not in name}
        plain = Client(self.server.port, kept)
        return plain.request("POST", UPLOAD, body, **{"Content-Type": CONTENT_TYPE})

    def _tus(self) -> Answer:
        length = {"Upload-Length": "5", "Upload-Metadata": "filename YQ=="}
        return self.client.request("POST", "/uploads/", b"hello", **length, **TUS)

    def _api(self, method: str, path: str, body: bytes = b"", token: str = "") -> Answer:
        sent = {"Authorization": f"Bearer {token or self.token}"}
        return Client(self.server.port).request(method, f"/api/v1/{path}", body, **sent)

    def _api_list(self) -> Answer:
        return self._api("GET", "folders/root")

    def _api_put(self) -> Answer:
        return self._api("PUT", f"content/{time.monotonic_ns()}", b"hello")

    def _api_get(self) -> Answer:
        return self._api("GET", f"files/{self.file_id}/content")

    def _api_guess(self) -> Answer:
        return self._api("GET", "me", token=token_text.generate())

    def _metrics(self) -> Answer:
        return Client(self.server.port).request("GET", "/metrics", Authorization=f"Bearer {TOKEN}")

    def _ready(self) -> Answer:
        return Client(self.server.port).request("GET", "/readyz")

    def is_ready(self) -> bool:
        return self.ask("ready")[0] == 200


RIGHT = {
    "list": 200,
    "sign_in_page": 200,
    "sign_in": 302,
    "download": 200,
    "range": 206,
    "zip": 200,
    "form": 302,
    "tus": 201,
    "api_list": 200,
    "api_put": 201,
    "api_get": 200,
    "api_guess": 401,
    "metrics": 200,
    "ready": 200,
}
COUNTS = ("sign_in", "api_guess", "metrics")
"""Doors that ask the cache."""
WRITES = (
    *("sign_in", "download", "range", "zip", "form", "tus"),
    *("api_put", "api_get", "api_guess"),
)
"""Doors that write to the database."""


@contextmanager
def serving(folder: Path, weed: Weed, **settings: str) -> Iterator[Site]:
    server = Deployment(folder, weed, **SETTINGS, **settings)
    server.start()
    try:
        client = Client(server.port).sign_in()
        path = client.create(5, data=b"hello")
        server.manage("shell", "--no-imports", code=MAKE_TOKEN.format(path=str(folder / "token")))
        token = (folder / "token").read_text()
        yield Site(server, client, client.head(path)[1] or "", token)
    finally:
        server.kill()


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with services.postgres(migrated=True) as running:
        yield running


@pytest.fixture(scope="module")
def cache() -> Iterator[Redis]:
    with services.redis() as running:
        yield running


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, weed: Weed, database: Postgres, cache: Redis
) -> Iterator[Site]:
    """On PostgreSQL and Redis."""
    folder = tmp_path_factory.mktemp("outages")
    with serving(folder, weed, DATABASE_URL=database.url, CACHE_URL=cache.url) as running:
        yield running


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Site]:
    """On SQLite, with the cache in the database."""
    with serving(tmp_path_factory.mktemp("small"), weed) as running:
        yield running


def settled(site: Site, *, ready: bool) -> None:
    """Wait until every process of the site says so, and none what it still remembers.

    Each has an answer of its own, good for `FRESH` seconds: another may come from one that was
    asked a moment before. Over twice that time all are asked anew.
    """
    since = time.monotonic()

    def holds() -> bool:
        nonlocal since
        if site.is_ready() is not ready:
            since = time.monotonic()
        return time.monotonic() - since > 2 * FRESH

    wait_until(holds, 60)


def all_is_well(site: Site) -> None:
    """Without a restart, and for every door."""
    settled(site, ready=True)
    for door, status in RIGHT.items():
        assert site.ask(door)[0] == status, (door, site.server.log[-3000:])


def is_told(door: str, status: int, page: str, took: float) -> None:
    """503, in words, and soon; programs are told in their form."""
    assert status == 503, page
    if door.startswith("api_"):
        assert json.loads(page)["code"] == "unavailable", page
        assert took < LONGEST
        return
    assert "Not available at the moment" in page
    assert "Nothing was stored" in page
    assert took < LONGEST


def try_all(
    site: Site, *, failing: Collection[str], parts: set[str], perhaps: Collection[str] = ()
) -> None:
    """These doors are told of, `/readyz` names the parts, and all others are right.

    So are those of `perhaps`, unless they are told of, too.
    """
    others = [door for door in RIGHT if door != "ready"]
    # At once: each waits until the part is given up.
    with ThreadPoolExecutor(len(others)) as pool:
        answers = dict(zip(others, pool.map(site.ask, others), strict=True))
    for door, (status, page, took) in answers.items():
        if door in failing or (status == 503 and door in perhaps):
            is_told(door, status, page, took)
        else:
            assert status == RIGHT[door], (door, page)
        assert took < LONGEST, door
    # What it remembered from before is forgotten by now.
    settled(site, ready=False)
    status, page, took = site.ask("ready")
    assert status == 503, page
    assert set(re.findall(r'"(\w+)": "failed"', page)) == parts
    assert took < LONGEST
    assert Client(site.server.port).request("GET", "/healthz")[0].status == 200


def test_a_cache_that_was_killed_is_told_and_what_needs_none_goes_on(
    site: Site, cache: Redis
) -> None:
    all_is_well(site)
    cache.kill()
    try_all(site, failing=COUNTS, parts={"cache"})
    cache.start()
    all_is_well(site)


def test_a_cache_that_hangs_is_told_and_what_needs_none_goes_on(site: Site, cache: Redis) -> None:
    """What it was told meanwhile it does when it is back: that must not look like a guess."""
    with cache.hanging():
        try_all(site, failing=COUNTS, parts={"cache"})
    all_is_well(site)


def test_a_cache_that_takes_no_writes_is_no_limit_that_is_reached(site: Site, cache: Redis) -> None:
    cache.command("CONFIG", "SET", "maxmemory", "1")
    try:
        # The metrics count anew every minute, and put that into the cache.
        try_all(site, failing=["sign_in", "api_guess"], perhaps=["metrics"], parts={"cache"})
    finally:
        cache.command("CONFIG", "SET", "maxmemory", "0")
    all_is_well(site)


EVERY = set(RIGHT) - {"sign_in_page"}


def test_a_database_that_was_killed_is_told_at_every_door(site: Site, database: Postgres) -> None:
    database.kill()
    try_all(site, failing=EVERY, parts={"database", "keyring"})
    database.start()
    all_is_well(site)


def test_a_database_that_hangs_is_told_at_every_door(site: Site, database: Postgres) -> None:
    with database.hanging():
        try_all(site, failing=EVERY, parts={"database", "keyring"})
    all_is_well(site)


def test_a_database_that_takes_no_writes_is_told_and_read_all_the_same(
    site: Site, database: Postgres
) -> None:
    """As a standby after a failover."""
    with read_only(database):
        settled(site, ready=False)
        try_all(site, failing=WRITES, parts={"database"})
    all_is_well(site)


@contextmanager
def read_only(database: Postgres) -> Iterator[None]:
    change = "ALTER SYSTEM SET default_transaction_read_only = {}"
    for value in ("on", "off"):
        database.query(change.format(value))
        database.query("SELECT pg_reload_conf()")
        if value == "on":
            yield


def test_counts_in_a_database_that_takes_no_writes_are_no_limit_that_is_reached(
    tmp_path: Path, weed: Weed
) -> None:
    """The cache in the database: its failure must not look like an answer of its own."""
    with (
        services.postgres(migrated=True) as database,
        serving(tmp_path, weed, DATABASE_URL=database.url) as site,
    ):
        with read_only(database):
            settled(site, ready=False)
            try_all(site, failing=WRITES, perhaps=["metrics"], parts={"database", "cache"})
        all_is_well(site)


def test_a_cache_without_its_table_is_told(small: Site) -> None:
    all_is_well(small)
    with closing(sqlite3.connect(small.server.database, timeout=30)) as opened, opened:
        opened.execute("DROP TABLE django_cache")
    try_all(small, failing=COUNTS, parts={"cache"})
    small.server.manage("setup_vault")
    all_is_well(small)


# --- Processes that stop in the middle ------------------------------------------------------------

HOLD = """
import sys
from django.db import transaction
import audit
with transaction.atomic():
    audit.record(audit.Event.SWEPT, purged=0, abandoned=0)
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def frozen(site: Site) -> Iterator[subprocess.Popen[str]]:
    """A process that stands still while it holds what every writer waits for."""
    process = site.server.process(HOLD)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def test_a_frozen_writer_stops_nobody(site: Site) -> None:
    all_is_well(site)
    # The transaction ends too soon to wait until it shows: nothing may be remembered from before.
    time.sleep(FRESH)
    with frozen(site):
        # Its turn is taken from it before those who wait give up.
        first = site.ask("ready")
        assert first[0] == 200, first
        with ThreadPoolExecutor(8) as pool:
            for door, (status, page, took) in pool.map(lambda d: (d, site.ask(d)), WRITES * 3):
                assert status == RIGHT[door], page
                assert took < LONGEST
        all_is_well(site)
        # It does not know yet that its transaction is over.


def test_a_frozen_writer_on_sqlite_is_told_to_writers_and_readers_go_on(small: Site) -> None:
    """Nothing ends a transaction there but its process. The service's manager kills that one."""
    all_is_well(small)
    with frozen(small):
        try_all(small, failing=WRITES, perhaps=["metrics"], parts={"database", "cache"})
    all_is_well(small)
