"""Pages where a million files and grants are stored, beside the same pages with a thousand.

The files are in a hundred thousand folders, and a fifth of the grants are on these. Through the
whole stack of Django, session, permissions and templates included, by its test client in this
process: what a server adds is the same for both. On SQLite and PostgreSQL, each in memory.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Figure
from benchmarks.site import MEMORY, set_up
from benchmarks.trees import QUESTIONS, changes
from tests.integration.postgresql import PostgresMissing, server

if TYPE_CHECKING:
    from django.test import Client

    from benchmarks.population import Population

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REQUESTS = 15
"""Of each page in each round; their median counts."""
REACH = 2.0

Path_ = Callable[["Population"], str]
LIST = "/files/"


def _deep(population: Population) -> str:
    from files.lists.paging import _encode

    return f"{LIST}?after={_encode(population.middle_place)}"


PAGES: dict[str, tuple[str, Path_]] = {
    "List, own files": ("owner", lambda _: LIST),
    "List, granted files": ("reader", lambda _: LIST),
    "List, one old file": ("newcomer", lambda _: LIST),
    "List, from the middle on": ("reader", _deep),
    "Search, in every name": ("owner", lambda _: f"{LIST}?q=.pdf"),
    "Search, a common word": ("reader", lambda _: f"{LIST}?q=report+pdf"),
    "Search, two common words": ("reader", lambda _: f"{LIST}?q=report+invoice"),
    "Search, in one name": ("owner", lambda _: f"{LIST}?q=0000007"),
    "Search, in no name": ("reader", lambda _: f"{LIST}?q=nothing"),
    "Search, in others' names": ("newcomer", lambda _: f"{LIST}?q=report"),
    "Search, two letters, none": ("owner", lambda _: f"{LIST}?q=qz"),
    "Detail, own, many grants": ("owner", lambda p: f"{LIST}{p.newest}/"),
    "Detail, granted": ("newcomer", lambda p: f"{LIST}{p.oldest}/"),
    "List, in 150 groups": ("joiner", lambda _: LIST),
    "Search, in 150 groups": ("joiner", lambda _: f"{LIST}?q=report+pdf"),
    "Detail, 32 deep": ("guest", lambda p: f"{LIST}{p.oldest}/"),
    "Folder, a fifth of all": ("owner", lambda p: f"/folders/{p.big}/"),
    "Folder, a fifth, by size": ("owner", lambda p: f"/folders/{p.big}/?sort=-size"),
    "Folder, a fifth, by time": ("owner", lambda p: f"/folders/{p.big}/?sort=-time"),
    "Folder, 32 deep": ("guest", lambda p: f"/folders/{p.deepest}/"),
    "Folder, granted often": ("owner", lambda p: f"/folders/{p.granted}/"),
    "Search below, in every name": ("owner", lambda p: f"/folders/{p.tree}/?q=.pdf"),
    "Search below, a rare name": ("owner", lambda p: f"/folders/{p.tree}/?q=0000002"),
    "Search below, in no name": ("owner", lambda p: f"/folders/{p.granted}/?q=nothing"),
    "Shared with me": ("reader", lambda _: "/shared/"),
    "Shared, in 150 groups": ("joiner", lambda _: "/shared/"),
    "Recent": ("owner", lambda _: "/recent/"),
    "Trash": ("owner", lambda _: "/trash/"),
}
SERIES = {
    "List page": "List, granted files",
    "Search": "Search, in one name",
    "Detail page": "Detail, own, many grants",
}


@dataclass
class Stored:
    """A filled database, and its people signed in. The default one while it is `in_use`."""

    wrapper: Any
    population: Population
    clients: dict[str, Client]

    @classmethod
    def fill(cls, configuration: dict[str, Any], size: int) -> Stored:
        from django.core.management import call_command
        from django.db import connections
        from django.db.utils import load_backend
        from django.test import Client

        from accounts.models import User
        from benchmarks.population import populate

        settings = connections.configure_settings({"default": configuration})["default"]
        wrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
        connections["default"] = wrapper
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        population = populate(size)
        clients = {}
        for person in User.objects.all():
            clients[person.username] = Client(SERVER_NAME="localhost")
            clients[person.username].force_login(person)
        return cls(wrapper, population, clients)

    def milliseconds(self, page: str) -> float:
        """The median of some requests for a page, after one that does not count."""
        from django.db import connections

        connections["default"] = self.wrapper
        who, path_of = PAGES[page]
        path = path_of(self.population)

        def get() -> None:
            answer = self.clients[who].get(path)
            if answer.status_code != 200:
                raise RuntimeError(f"{path} answered {answer.status_code}")

        return _median(get)

    def asking(self, question: str) -> float:
        """The same of a question of access."""
        from django.db import connections

        connections["default"] = self.wrapper
        return _median(QUESTIONS[question](self.population))


def _median(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REQUESTS + 1):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken[1:])


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Milliseconds for a page; `size` says nothing here, for no file has content."""
    del size
    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("collectstatic", interactive=False, verbosity=0)
    original = connections["default"]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        logging.disable(logging.WARNING)
        yield from _on("SQLite", lambda n: _sqlite(Path(folder) / f"{n}.sqlite3"), runs)
    try:
        with server(MEMORY) as configuration:
            yield from _on("PostgreSQL", lambda n: _postgresql(configuration, n), runs)
    except PostgresMissing as missing:
        sys.stderr.write(f"PostgreSQL is left out. {missing}\n")
    finally:
        connections["default"] = original
        logging.disable(logging.NOTSET)


def _on(
    database: str, configuration: Callable[[int], dict[str, Any]], runs: int
) -> Iterator[Figure]:
    with ExitStack() as closing:
        stored = {}
        for size in SIZES:
            start = time.perf_counter()
            stored[size] = Stored.fill(configuration(size), size)
            closing.callback(stored[size].wrapper.close)
            taken = time.perf_counter() - start
            sys.stderr.write(f"{database}: {size:,} files and grants made in {taken:.0f} s\n")
        yield from _compared(database, stored, runs)
        for name, page in SERIES.items():
            for size in SIZES:
                times = [stored[size].milliseconds(page) for _ in range(runs)]
                yield Figure(f"{name}, {database}", "ms", times, at=size)
        yield from _changed(database, stored[SIZES[-1]])


def _compared(database: str, stored: dict[int, Stored], runs: int) -> Iterator[Figure]:
    few, many = stored[SIZES[0]], stored[SIZES[-1]]
    for named, measure in ((PAGES, Stored.milliseconds), (QUESTIONS, Stored.asking)):
        for name in named:
            ours, theirs = [], []
            for _ in range(runs):
                theirs.append(measure(few, name))
                ours.append(measure(many, name))
            peer = f"with {SIZES[0]:,} files"
            yield Figure(f"{name}, {database}", "ms", ours, peer, theirs, REACH, at_most=True)


def _changed(database: str, stored: Stored) -> Iterator[Figure]:
    from django.db import connections

    connections["default"] = stored.wrapper
    yield from changes(stored.population, database)


def _sqlite(path: Path) -> dict[str, Any]:
    from django.conf import settings

    return {**settings.DATABASES["default"], "NAME": path}


def _postgresql(configuration: dict[str, Any], size: int) -> dict[str, Any]:
    from django.db import connections
    from django.db.utils import load_backend

    settings = connections.configure_settings({"default": dict(configuration)})["default"]
    wrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
    with wrapper.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE scale{size}")
    wrapper.close()
    return {**configuration, "NAME": f"scale{size}", "CONN_MAX_AGE": None}
