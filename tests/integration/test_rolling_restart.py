"""One server after the other is restarted, and nobody notices: behind the proxy that is shipped."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from launcher.ports import LOOPBACK
from tests.conftest import Weed
from tests.integration.deployment import (
    FORM,
    HOST,
    Address,
    Deployment,
    Pool,
    Visitor,
    cookies_of,
    people,
)
from tests.integration.forms import eventually

SIZE = 24 << 20
STORE = """
from accounts.models import User
from files.vault import storing
owner = User.objects.order_by("pk").last()
print(storing.store(owner, [bytes(1 << 20)] * 24, name="large.bin").pk)
"""
UPLOADS = """
from files.models import UploadSession
print(UploadSession.objects.count())
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Deployment]:
    # How many uploads somebody may begin is not what this is about.
    begun = {"MAX_UNFINISHED_UPLOADS": "1000000"}
    found = Deployment(tmp_path_factory.mktemp("rolling"), weed, servers=2, **begun)
    with found.running():
        yield found


@pytest.fixture
def cookie(deployment: Deployment) -> str:
    """Somebody new, who is signed in."""
    [made] = people(deployment.installation, 1)
    return made


class Load:
    """People who go on asking, whatever happens; `answers` has what they were told."""

    def __init__(self, deployment: Deployment, cookie: str) -> None:
        self._address = Address(deployment.port, HOST, deployment.context)
        self._cookie = cookie
        self._over = threading.Event()
        self.answers: Counter[tuple[str, object]] = Counter()

    @contextmanager
    def running(self) -> Iterator[None]:
        asking = [self._page, self._probe, self._form, self._begin_upload]
        threads = [threading.Thread(target=self._go_on, args=[ask]) for ask in asking]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _go_on(self, ask: Callable[[], int]) -> None:
        while not self._over.is_set():
            try:
                told: object = ask()
            except (OSError, http.client.HTTPException) as error:
                told = repr(error)
            self.answers[ask.__name__, told] += 1
            # They are to be there all the while, and not to keep the machine from stopping.
            self._over.wait(0.05)

    def _somebody(self) -> Visitor:
        return Visitor(self._address, cookies_of(self._cookie))

    def _page(self) -> int:
        return self._somebody().ask("GET", "/files/")[0]

    def _probe(self) -> int:
        return Visitor(self._address).ask("GET", "/healthz")[0]

    def _form(self) -> int:
        token = cookies_of(self._cookie)["csrftoken"]
        body = f"csrfmiddlewaretoken={token}&passphrase=x&passphrase_again=x".encode()
        return self._somebody().ask("POST", "/files/passphrase/", body, **FORM)[0]

    def _begin_upload(self) -> int:
        told = {
            "Tus-Resumable": "1.0.0",
            "X-CSRFToken": cookies_of(self._cookie)["csrftoken"],
            "Upload-Length": "1000",
            "Upload-Metadata": f"filename {base64.b64encode(b'a').decode()}",
        }
        return self._somebody().ask("POST", "/uploads/", b"", **told)[0]

    def require_that_all_was_answered(self) -> None:
        assert set(self.answers) == {
            ("_page", 200),
            ("_probe", 200),
            ("_form", 400),
            ("_begin_upload", 201),
        }


@contextmanager
def slow_download(
    deployment: Deployment, cookie: str, go_on: threading.Event
) -> Iterator[list[int]]:
    """Somebody who takes a file slowly, until told to go on; yields what they had in the end."""
    [file_id] = deployment.installation.python(STORE)
    received: list[int] = []
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((LOOPBACK, deployment.port))
    assert deployment.context is not None
    over_tls = deployment.context.wrap_socket(connection, server_hostname=HOST)
    asked = f"GET /files/{file_id}/download/ HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n"
    over_tls.sendall(asked.encode())
    head = over_tls.recv(65536).partition(b"\r\n\r\n")
    assert head[0].startswith(b"HTTP/1.1 200")

    def take() -> None:
        total = len(head[2])
        with suppress(OSError):
            while total < SIZE and (data := over_tls.recv(16384)):
                total += len(data)
                go_on.wait(0.2)
        received.append(total)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield received
    finally:
        go_on.set()
        thread.join()
        over_tls.close()


def is_shut(pool: Pool) -> bool:
    """Whether nobody gets in any more."""
    return not pool.is_alive()


def test_a_restart_loses_nothing(deployment: Deployment, cookie: str) -> None:
    """Each server in turn, pages and transfers, with a slow download on one of them."""
    before = int(deployment.installation.python(UPLOADS)[0])
    load, go_on = Load(deployment, cookie), threading.Event()
    with slow_download(deployment, cookie, go_on) as received, load.running():
        for server in deployment.servers:
            for pool in (server.pages, server.transfers):
                stopping = threading.Thread(target=pool.stop)
                stopping.start()
                # The door is closed at once; what runs goes on, for longer than Granian's default.
                assert eventually(partial(is_shut, pool), 60)
                stopping.join(timeout=35)
                if stopping.is_alive():
                    go_on.set()
                    stopping.join()
                pool.start()
    assert received == [SIZE]
    load.require_that_all_was_answered()
    # Neither lost nor made twice.
    made = int(deployment.installation.python(UPLOADS)[0]) - before
    assert made == load.answers["_begin_upload", 201]


def test_a_reload_loses_nothing(deployment: Deployment, cookie: str) -> None:
    """All servers at once: new processes take over the ports from the old ones."""
    before = int(deployment.installation.python(UPLOADS)[0])
    load, go_on = Load(deployment, cookie), threading.Event()
    with slow_download(deployment, cookie, go_on) as received, load.running():
        pools = [pool for server in deployment.servers for pool in (server.pages, server.transfers)]
        former = {pool.port: workers(pool.child.pid) for pool in pools if pool.child}
        for pool in pools:
            pool.reload()

        def renewed() -> bool:
            return all(workers(pool.child.pid) - former[pool.port] for pool in pools if pool.child)

        assert eventually(renewed, 90)
        go_on.set()
        assert eventually(
            lambda: all(
                not workers(pool.child.pid) & former[pool.port] for pool in pools if pool.child
            ),
            120,
        )
    assert received == [SIZE]
    load.require_that_all_was_answered()
    made = int(deployment.installation.python(UPLOADS)[0]) - before
    assert made == load.answers["_begin_upload", 201]


def workers(pid: int) -> set[int]:
    """The processes that a web server has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children}


def test_a_server_stops_whichever_thread_is_told_to(deployment: Deployment) -> None:
    """The kernel may give a signal to any thread of a process; on a busy host it does."""
    pool = deployment.servers[0].pages
    assert pool.child is not None
    [worker] = workers(pool.child.pid)
    other = next(
        int(path.name)
        for path in Path(f"/proc/{worker}/task").iterdir()
        if int(path.name) != worker
    )
    try:
        # Linux takes the number of a thread as well, and gives it to that one first.
        os.kill(other, signal.SIGTERM)
        assert eventually(lambda: not Path(f"/proc/{worker}").exists(), 60)
    finally:
        pool.stop()
        pool.start()


# --- What the proxy sends twice ---------------------------------------------------------------


class Breaking:
    """A server that takes a request, and then its connection is gone; counts what it was sent."""

    def __init__(self, port: int, sent: Counter[str]) -> None:
        self._sent = sent
        self._listener = socket.create_server((LOOPBACK, port))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    if line := connection.recv(65536):
                        self._sent[line.split(b" ")[0].decode()] += 1

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def breaking(
    tmp_path_factory: pytest.TempPathFactory, weed: Weed
) -> Iterator[tuple[Visitor, Counter[str]]]:
    """Who asks a proxy before such servers, and what they were sent."""
    there = Deployment(tmp_path_factory.mktemp("breaking"), weed, servers=2)
    sent: Counter[str] = Counter()
    servers = [
        Breaking(pool.port, sent)
        for server in there.servers
        for pool in (server.pages, server.transfers)
    ]
    try:
        with there.proxy():
            yield Visitor(Address(there.port, HOST, there.context)), sent
    finally:
        for server in servers:
            server.close()


@pytest.mark.parametrize("path", ["/accounts/login/", "/uploads/", "/files/upload/"])
def test_what_changes_anything_is_never_sent_twice(
    breaking: tuple[Visitor, Counter[str]], path: str
) -> None:
    visitor, sent = breaking
    sent.clear()
    for method in ("POST", "PATCH", "GET"):
        assert visitor.ask(method, path, b"a=b", **FORM)[0] == 502
    assert (sent["POST"], sent["PATCH"]) == (1, 1)
    assert sent["GET"] == 2 or path in {"/uploads/", "/files/upload/"}


def test_a_server_that_is_gone_is_passed_over_at_once(deployment: Deployment, cookie: str) -> None:
    gone, *_ = deployment.servers
    gone.stop()
    try:
        load, begun = Load(deployment, cookie), time.monotonic()
        with load.running():
            eventually(lambda: sum(load.answers.values()) > 100, 60)
        load.require_that_all_was_answered()
        assert time.monotonic() - begun < 60
    finally:
        gone.start()
