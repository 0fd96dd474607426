"""Debian's own PostgreSQL, Redis and PgBouncer for one test, which may kill, stop and restart them.

They listen in a folder of the test's own or on a port of loopback, and nowhere else.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.ports import LOOPBACK, free_port
from launcher.process import Child
from launcher.site import Site
from tests.integration.postgresql import ACCOUNT, copy_cluster, programs
from tests.integration.tus import ROOT, Server

AS_ROOT = os.geteuid() == 0
ENVIRONMENT = {"PATH": f"{os.defpath}:/usr/sbin", "LC_ALL": "C.UTF-8"}


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Raises AssertionError where it does not hold within that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.02)


class Service:
    """A program that runs in the foreground until the test is over, or breaks it."""

    def __init__(self, folder: Path, command: list[str], *, account: str | None) -> None:
        self.folder = folder
        self._command = command
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    def is_up(self) -> bool:
        """Whether it answers."""
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._account,
            )
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        said = (self.folder / "output").read_text(errors="replace")
        assert self._process.poll() is None, said
        return self.is_up()

    def kill(self) -> None:
        """As a crash does: at once, and all of its processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stopped, with its sockets open: nothing is refused, and nothing is answered."""
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in self.processes():
                os.kill(pid, signal.SIGCONT)

    def processes(self) -> list[int]:
        """Its process, and all that these have started."""
        assert self._process is not None
        found, waiting = [], [self._process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            with suppress(OSError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
                waiting += map(int, children.split())
        return found


class Postgres(Service):
    """A server whose only database is `postgres`, of the role of that name."""

    def __init__(self, folder: Path, *, migrated: bool = False, **settings: str) -> None:
        self.data = folder / "data"
        account = ACCOUNT if AS_ROOT else None
        options = [f"-c{name}={value}" for name, value in settings.items()]
        super().__init__(
            folder,
            [
                *(str(programs() / "postgres"), "-D", str(self.data), "-k", str(folder)),
                *("-c", "listen_addresses=", "-c", "fsync=off", *options),
            ],
            account=account,
        )
        copy_cluster(self.data, migrated=migrated)

    @property
    def url(self) -> str:
        return f"postgres://{ACCOUNT}@/{self.folder}/postgres"

    def is_up(self) -> bool:
        return self.query("SELECT 1", check=False) == ["1"]

    def kill(self) -> None:
        # Its children are sessions of their own.
        for pid in self.processes() if self._process is not None else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().kill()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for path in self.folder.glob(".s.PGSQL*"):
            path.unlink(missing_ok=True)

    def query(self, sql: str, *, check: bool = True) -> list[str]:
        """The lines that psql prints."""
        done = subprocess.run(
            [
                *(
                    str(programs() / "psql"),
                    "-h",
                    str(self.folder),
                    "-U",
                    ACCOUNT,
                    "-d",
                    "postgres",
                ),
                *("-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql),
            ],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )
        return done.stdout.split("\n")[:-1]


class Redis(Service):
    """A server that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        super().__init__(
            folder,
            [
                *("redis-server", "--port", str(self.port), "--bind", LOOPBACK),
                *("--save", "", "--appendonly", "no"),
            ],
            account=None,
        )

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/1"

    def is_up(self) -> bool:
        return self.command("PING") == "PONG"

    def command(self, *words: str) -> str:
        """What it answers."""
        asked = ["redis-cli", "-p", str(self.port), *words]
        done = subprocess.run(asked, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        return done.stdout.strip()


class PgBouncer(Service):
    """With the configuration that we ship, but for addresses and passwords."""

    def __init__(self, folder: Path, database: Postgres) -> None:
        self.port = free_port()
        shipped = (ROOT / "deploy" / "pgbouncer.ini").read_text(encoding="utf-8")
        changes = {
            "host=127.0.0.1 port=5432": f"host={database.folder} port=5432",
            "dbname=securestore": "dbname=postgres",
            "listen_port = 6432": f"listen_port = {self.port}\nunix_socket_dir =",
            "auth_type = scram-sha-256": "auth_type = trust",
            "/etc/pgbouncer/userlist.txt": str(folder / "users"),
        }
        for shown, real in changes.items():
            assert shown in shipped, shown
            shipped = shipped.replace(shown, real)
        (folder / "users").write_text(f'"{ACCOUNT}" ""\n', encoding="utf-8")
        (folder / "pgbouncer.ini").write_text(shipped, encoding="utf-8")
        super().__init__(
            folder,
            ["pgbouncer", str(folder / "pgbouncer.ini")],
            account=ACCOUNT if AS_ROOT else None,
        )

    def url(self, name: str) -> str:
        return f"postgres://{ACCOUNT}@{LOOPBACK}:{self.port}/{name}"

    def is_up(self) -> bool:
        with suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=1):
            return True
        return False


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A folder of a short name, which the account of the servers may enter: sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        if AS_ROOT:
            shutil.chown(name, ACCOUNT)
        yield Path(name)


@contextmanager
def postgres(*, migrated: bool = False, **settings: str) -> Iterator[Postgres]:
    """A running server with these settings of its own; whatever is left of it goes at the end.

    Its database is empty, or as `migrate` leaves it.
    """
    with folder("pg") as place:
        service = Postgres(place, migrated=migrated, **settings)
        service.start()
        try:
            yield service
        finally:
            service.kill()


@contextmanager
def pgbouncer(database: Postgres) -> Iterator[PgBouncer]:
    """A running one before that database; whatever is left of it goes at the end."""
    with folder("pb") as place:
        service = PgBouncer(place, database)
        service.start()
        try:
            yield service
        finally:
            service.kill()


@contextmanager
def redis() -> Iterator[Redis]:
    """A running server; whatever is left of it goes at the end."""
    with folder("rd") as place:
        service = Redis(place)
        service.start()
        try:
            yield service
        finally:
            service.kill()


class Deployment(Server):
    """The site as docs/operations.md has it served: several processes of one web server."""

    workers, threads = 2, 32

    def start(self) -> None:
        site = Site(LOOPBACK, self.port, ())
        command = [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--http", "1"),
            *("--host", LOOPBACK, "--port", str(self.port), "--workers", str(self.workers)),
            *("--blocking-threads", str(self.threads), "--backpressure", "1024"),
            *("--workers-kill-timeout", "5", "--log-level", "error"),
            "securestore.wsgi:application",
        ]
        self._child = Child(
            site.name, command, env=self._env, cwd=ROOT, log=self._folder / "web.log"
        )
        self._child.wait_until(site.is_ready, seconds=60)

    def process(self, code: str) -> subprocess.Popen[str]:
        """A process of the operator's on the same database, which runs this and says `ready`."""
        return subprocess.Popen(
            [sys.executable, "-c", f"import django\ndjango.setup()\n{code}"],
            cwd=ROOT,
            env={**self._env, "DJANGO_SETTINGS_MODULE": "securestore.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def log(self) -> str:
        """What the processes have said."""
        return (self._folder / "web.log").read_text(errors="replace")
