"""Pages of this tree beside the same pages of an earlier one: the same requests, by turns.

The earlier tree is taken from git into memory, and each has sites of its own. What counts is what
the web processes use of a core: the clock is everybody's. First a site as it is launched, with one
person's files; then two web processes on PostgreSQL, and fifty people who never wait.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.measure import Figure
from benchmarks.site import MEMORY, ROOT, MeasuredSite
from benchmarks.visitor import Visitor
from tests.integration.postgresql import PostgresMissing, server

EARLIER = os.environ.get("BENCHMARK_EARLIER", "4c180b5")
"""The commit that this tree is held against."""

FILES, REQUESTS = 60, 60
REACH, FASTER, SOONER = 0.55, 1.8, 0.5
PEOPLE, SECONDS = 50, 8.0
MISSING = "/files/00000000-0000-4000-8000-000000000000/"
_BESIDE = ("static/vendor", "node_modules")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)

LAUNCHED = """
import dataclasses, json, sys
from pathlib import Path
from benchmarks.site import launched
with launched(Path(sys.argv[1])) as site:
    print(json.dumps(dataclasses.asdict(site), default=str), flush=True)
    sys.stdin.read()
"""
"""Run in a tree: its own site, until its input ends."""

SERVED = """
import json, logging, os, subprocess, sys, time, urllib.request
from pathlib import Path
from launcher import environment
from launcher.ports import free_port
folder, url, people = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
(folder / "var").mkdir()
environment.create(folder / "env", root=Path.cwd(), data=folder / "var")
text = (folder / "env").read_text().splitlines()
text = [f"DATABASE_URL={url}" if line.startswith("DATABASE_URL=") else line for line in text]
# Two cores serve all of it: who waits for a connection is not to be turned away.
text += ["DATABASE_CONNECT_TIMEOUT=60", "DATABASE_POOL_SIZE=16"]
(folder / "env").write_text("\\n".join(text) + "\\n")
os.environ.update(SECURESTORE_ENV_FILE=str(folder / "env"),
    DJANGO_SETTINGS_MODULE="securestore.settings", GRANIAN_BLOCKING_THREADS="32")
import django
django.setup()
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from accounts.members import ensure_members_group
from accounts.models import User
from benchmarks.population import populate
from files.keys.master_keys import keyring
from files.models import Grant, StoredObject
logging.disable(logging.WARNING)
for command in (("migrate",), ("createcachetable",), ("collectstatic", "--noinput")):
    call_command(*command, verbosity=0)
there = populate(1000)
# No server begins whose files need keys that it lacks.
StoredObject.objects.update(master_key_id=keyring().primary_id)
team, cookies = Group.objects.get(name="Team"), []
Grant.objects.create(folder_id=there.big, group=team, granted_by_id=there.owner)
Grant.objects.create(file_id=there.oldest, group=team, granted_by_id=there.owner)
for number in range(people):
    person = User.objects.create(username=f"person {number}")
    person.groups.add(ensure_members_group(), team)
    client = Client()
    client.force_login(person)
    cookies.append(client.cookies["sessionid"].value)
ports, servers = [free_port(), free_port()], []
for port in ports:
    servers.append(subprocess.Popen([sys.executable, "-m", "granian", "--interface", "wsgi",
        "--http", "1", "--no-ws", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backpressure", "4096", "--log-level", "error", "securestore.wsgi:application"],
        stdout=subprocess.DEVNULL))
for port in ports:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").read()
            break
        except OSError:
            time.sleep(0.2)
big, oldest = f"/folders/{there.big}/", f"/files/{there.oldest}/"
paths = [big, oldest, "/shared/", big, "/files/?q=report", "/files/", oldest]
print(json.dumps({"ports": ports, "cookies": cookies, "paths": paths,
    "servers": [one.pid for one in servers]}), flush=True)
sys.stdin.read()
for one in servers:
    one.terminate()
    one.wait(30)
"""
"""The same: two web processes on the database of that URL, and people who are signed in."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """What pages cost, and how many two web processes answer; `size` says nothing here."""
    del size
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        trees = {"now": ROOT, "earlier": earlier(Path(folder) / "earlier")}
        yield from _costs(trees, Path(folder), runs)
        try:
            yield from _crowds(trees, Path(folder), runs)
        except PostgresMissing as missing:
            sys.stderr.write(f"PostgreSQL is left out. {missing}\n")


def earlier(folder: Path) -> Path:
    """The tree of that commit, with what is made beside it."""
    folder.mkdir()
    archive = ["git", "-C", str(ROOT), "archive", EARLIER]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout  # noqa: S603 - our own
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)  # noqa: S603, S607
    for name in _BESIDE:
        (folder / name).symlink_to((ROOT / name).resolve())
    for made in (ROOT / "files/crypto/lanes").glob("*.so"):
        shutil.copy(made, folder / "files/crypto/lanes")
    return folder


@contextmanager
def _run(script: str, tree: Path, *arguments: str) -> Iterator[IO[str]]:
    command = [sys.executable, "-c", script, *arguments]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    child = subprocess.Popen(  # noqa: S603 - our own
        command, cwd=tree, env=kept, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("no pipes")
    try:
        yield child.stdout
    finally:
        child.stdin.close()
        child.wait(90)


# --- What one page costs ------------------------------------------------------------------------


@dataclass
class _Site:
    """A launched site of one tree, whose one person has some files."""

    measured: MeasuredSite
    visitor: Visitor
    file: str
    number: int = FILES

    def upload(self) -> str:
        self.number += 1
        return self.visitor.upload_at_once(f"file {self.number}.txt", os.urandom(4096))

    def cost(self, work: Callable[[], object]) -> float:
        """Milliseconds of a core for each of some requests."""
        before = self.measured.busy()
        with self.visitor.keep_alive():
            for _ in range(REQUESTS):
                work()
        return (self.measured.busy() - before) / REQUESTS * 1000


def _costs(trees: dict[str, Path], folder: Path, runs: int) -> Iterator[Figure]:
    with ExitStack() as closing:
        sites = {
            name: _launched(closing, tree, folder / f"site of {name}")
            for name, tree in trees.items()
        }
        works: dict[str, Callable[[_Site], object]] = {
            "List of 50": lambda site: site.visitor.fetch("/files/"),
            "Detail": lambda site: site.visitor.fetch(f"/files/{site.file}/"),
            "Small upload": lambda site: site.upload(),
            "Search": lambda site: site.visitor.fetch("/files/?q=file"),
            "Shared with me, none": lambda site: site.visitor.fetch("/shared/"),
            "A file that is not there": lambda site: site.visitor.fetch(MISSING, status=404),
        }
        for name, work in works.items():
            taken: dict[str, list[float]] = {tree: [] for tree in trees}
            for _ in range(runs):
                for tree, site in sites.items():
                    taken[tree].append(site.cost(lambda site=site, work=work: work(site)))  # type: ignore[misc]
            reach = REACH if name in {"List of 50", "Detail", "Small upload"} else None
            yield Figure(
                f"{name}, CPU of the site", "ms", taken["now"], EARLIER, taken["earlier"],
                reach, at_most=True,
            )  # fmt: skip


def _launched(closing: ExitStack, tree: Path, folder: Path) -> _Site:
    folder.mkdir(exist_ok=True)
    told = json.loads(closing.enter_context(_run(LAUNCHED, tree, str(folder))).readline())
    measured = MeasuredSite(
        told["port"], Path(told["data"]), Path(told["env_file"]), told["store_port"], told["worker"]
    )
    visitor = Visitor(measured.port)
    visitor.sign_in()
    with visitor.keep_alive():
        ids = [visitor.upload_at_once(f"file {n}.txt", os.urandom(4096)) for n in range(FILES)]
    return _Site(measured, visitor, ids[0])


# --- Fifty people -------------------------------------------------------------------------------


def _crowds(trees: dict[str, Path], folder: Path, runs: int) -> Iterator[Figure]:
    rates: dict[str, list[float]] = {name: [] for name in trees}
    slow: dict[str, list[float]] = {name: [] for name in trees}
    cost: dict[str, list[float]] = {name: [] for name in trees}
    with server(MEMORY) as database, ExitStack() as closing:
        crowds = {}
        for name, tree in trees.items():
            _create(database, name)
            url = f"postgres://{database['USER']}@/{name}?host={database['HOST']}"
            place = Path(tempfile.mkdtemp(dir=folder))
            pipe = closing.enter_context(_run(SERVED, tree, str(place), url, str(PEOPLE)))
            crowds[name] = json.loads(pipe.readline())
        for number in range(runs + 1):
            for name, crowd in crowds.items():
                before = _busy(crowd["servers"])
                times, seconds = _ask(crowd)
                used = _busy(crowd["servers"]) - before
                if number:  # The first round makes the processes warm.
                    rates[name].append(len(times) / seconds)
                    slow[name].append(statistics.quantiles(times, n=100)[98] * 1000)
                    cost[name].append(used / len(times) * 1000)
    who = "50 people, two servers"
    yield Figure(who, "req/s", rates["now"], EARLIER, rates["earlier"], FASTER)
    yield Figure(f"{who}, p99", "ms", slow["now"], EARLIER, slow["earlier"], SOONER, at_most=True)
    yield Figure(f"{who}, CPU", "ms", cost["now"], EARLIER, cost["earlier"], REACH, at_most=True)


def _create(database: dict[str, object], name: str) -> None:
    import psycopg

    with psycopg.connect(
        host=str(database["HOST"]), user=str(database["USER"]), dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')


def _busy(servers: list[int]) -> float:
    """Seconds of a core that these and what they started have used (proc_pid_stat(5))."""
    total = 0.0
    for pid in servers:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _ask(crowd: dict[str, list[str]]) -> tuple[list[float], float]:
    """The seconds that each request took of people who ask again as soon as they are answered."""
    taken: list[list[float]] = [[] for _ in crowd["cookies"]]
    begun = time.perf_counter()

    def person(number: int) -> None:
        port, cookie = crowd["ports"][number % 2], crowd["cookies"][number]
        requests = [
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={cookie}\r\n\r\n".encode()
            for path in crowd["paths"]
        ]
        with socket.create_connection(("127.0.0.1", int(port)), timeout=60) as connection:
            turn = number
            while time.perf_counter() - begun < SECONDS:
                start = time.perf_counter()
                connection.sendall(requests[turn % len(requests)])
                _read(connection)
                taken[number].append(time.perf_counter() - start)
                turn += 1

    people = [threading.Thread(target=person, args=(number,)) for number in range(len(taken))]
    for one in people:
        one.start()
    for one in people:
        one.join()
    return [each for some in taken for each in some], time.perf_counter() - begun


def _read(connection: socket.socket) -> None:
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = got.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    if not head.startswith(b"HTTP/1.1 200") or length is None:
        raise RuntimeError(head[:200].decode(errors="replace"))
    left = int(length[1]) - len(body)
    while left > 0:
        left -= len(connection.recv(min(left, 262144)))
