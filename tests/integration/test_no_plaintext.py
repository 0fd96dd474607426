"""No plaintext reaches the disk: a recognisable one is transferred, then looked for everywhere.

strace tells every file that any process of the site opens for writing, also those that have no
name or are gone at once; those that remain are read and searched, in the middle of an upload too.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from benchmarks.site import MeasuredSite
from benchmarks.visitor import Visitor, body_of
from tests.integration.prepared import launched

MIB = 2**20
SIZE = 24 * MIB
"""Three parts in the store, and ten times what Django would keep in memory."""

DATABASE = re.compile(r"db\.sqlite3(-journal|-wal|-shm)?")

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="strace is Linux's")


@dataclass(frozen=True)
class Watched:
    """A site whose every opening of a file is written down."""

    site: MeasuredSite
    visitor: Visitor
    trace: Path
    temp: Path

    def opened(self, since: int = 0) -> set[Path]:
        """What was opened for writing, or created, after the first `since` bytes of the trace."""
        with self.trace.open("rb") as lines:
            lines.seek(since)
            return {Path(path) for path in _written(lines.read().decode())}

    def so_far(self) -> int:
        return self.trace.stat().st_size

    def files(self) -> Iterator[Path]:
        """Every file below the folders of data (with the store's) and of temporary files."""
        for folder in (self.site.data, self.temp):
            yield from (path for path in folder.rglob("*") if path.is_file())

    def holding(self, marker: bytes) -> list[Path]:
        """The files in which the marker occurs anywhere."""
        return [path for path in self.files() if marker in path.read_bytes()]

    def stored(self) -> int:
        """Bytes in the store's files."""
        store = self.site.data / "store"
        return sum(path.stat().st_size for path in store.rglob("*") if path.is_file())


# strace prints a call in two halves when another thread comes between; the first has the flags.
_OPENING = re.compile(
    r'(?:openat\([^,]+, |open\(|creat\()"(?P<path>[^"]*)"(?:, (?P<flags>[A-Z_|]+))?'
)
_WRITING = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE")


def _written(trace: str) -> Iterator[str]:
    for found in _OPENING.finditer(trace):
        flags = found["flags"]
        if flags is None or any(flag in flags for flag in _WRITING):
            yield found["path"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder, temp = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("temp")
    trace = folder / "trace"
    program = shutil.which("strace")
    assert program, "strace is missing: `make integration` installs it"
    # As a grandchild, so that the launcher itself is our child and stops as it always does.
    strace = (
        *(
            program,
            "--daemonize",
            "--follow-forks",
            "--seccomp-bpf",
            "--signal=none",
            "--quiet=all",
        ),
        *("--string-limit=4096", "--trace=open,openat,openat2,creat", f"--output={trace}"),
    )
    with launched(folder, temp=temp, wrapper=strace) as site:
        visitor = Visitor(site.port)
        visitor.sign_in()
        visitor.upload_form("warm", MIB, body_of(MIB))
        visitor.download(visitor.upload_tus("warm", MIB, body_of(MIB)))
        yield Watched(site, visitor, trace, temp)


@pytest.fixture
def marker() -> bytes:
    """A plaintext that occurs nowhere else: 128 random bits."""
    return os.urandom(16)


def nothing_but_the_database_and_the_store(watched: Watched, since: int) -> None:
    data = watched.site.data
    for path in watched.opened(since):
        if path in (Path("/dev/null"), Path("/dev/tty")):
            continue
        in_store = path.is_relative_to(data / "store")
        assert in_store or (path.parent == data and DATABASE.fullmatch(path.name)), path


def test_the_watch_sees_what_is_written(watched: Watched) -> None:
    opened = watched.opened()
    assert watched.site.data / "db.sqlite3" in opened, "the trace has the database"
    assert any(path.is_relative_to(watched.site.data / "store") for path in opened)
    header = b"SQLite format 3\0"
    assert watched.site.data / "db.sqlite3" in watched.holding(header), "the search finds"


@pytest.mark.parametrize("way", [Visitor.upload_form, Visitor.upload_tus])
def test_an_upload_leaves_no_plaintext(
    watched: Watched, marker: bytes, way: Callable[..., str]
) -> None:
    since, before = watched.so_far(), watched.stored()
    seen: list[Path] = []

    def body() -> Iterator[bytes]:
        sent = list(body_of(SIZE, marker))
        yield from sent[: len(sent) // 2]
        # The first half is with the site, and it waits for the rest.
        seen.extend(watched.holding(marker))
        yield from sent[len(sent) // 2 :]

    file_id = way(watched.visitor, f"{marker.hex()}.bin", SIZE, body())
    assert not seen
    assert not watched.holding(marker)
    assert watched.stored() - before >= SIZE, "what was searched includes the file, encrypted"
    nothing_but_the_database_and_the_store(watched, since)
    assert not list(watched.temp.iterdir())
    assert watched.visitor.download(file_id) == SIZE


def test_a_download_leaves_no_plaintext(watched: Watched, marker: bytes) -> None:
    file_id = watched.visitor.upload_form("down.bin", SIZE, body_of(SIZE, marker))
    since = watched.so_far()
    connection, answer = watched.visitor.open(file_id)
    try:
        first = answer.read(SIZE // 2)
        seen = watched.holding(marker)
        rest = answer.read()
    finally:
        connection.close()
    assert b"".join((first, rest)) == b"".join(chain(body_of(SIZE, marker)))
    assert not seen
    assert not watched.holding(marker)
    nothing_but_the_database_and_the_store(watched, since)
    assert not list(watched.temp.iterdir())
