"""A whole site of its own for measuring: launched as users launch it, read through `/proc`.

Linux only. It must never touch an installation: its data, its secrets and its store live in a
folder that the caller names and throws away.
"""

import atexit
import os
import shutil
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from launcher import environment
from launcher.ports import free_port
from launcher.process import Child
from launcher.site import Site

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory; folders in it are made by tempfile
NAME, PASSWORD = "root", "correct horse battery staple"
ESTABLISHED = "01"
"""A connection's state in /proc/net/tcp: see proc_net_tcp.rst in the kernel's documentation."""


@dataclass(frozen=True)
class MeasuredSite:
    """A running site; its one user, an administrator, is `NAME` with `PASSWORD`."""

    port: int
    data: Path
    env_file: Path
    store_port: int
    worker: int
    """The process id of the one web process that answers requests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configured(self, name: str) -> str:
        """A line of the site's environment file. Raises KeyError."""
        for line in self.env_file.read_text().splitlines():
            if line.startswith(f"{name}="):
                return line.partition("=")[2]
        raise KeyError(name)

    def object_name(self, file_id: str) -> str:
        """Where a file's bytes lie in the store."""
        with closing(sqlite3.connect(f"file:{self.data / 'db.sqlite3'}?mode=ro", uri=True)) as data:
            [(name,)] = data.execute(
                "SELECT object_name FROM files_storedobject WHERE file_id = ? AND state = 'live'",
                [uuid.UUID(file_id).hex],
            ).fetchall()
        return str(name)

    def resident(self) -> int:
        """Bytes of memory that the web process holds now."""
        return _status(self.worker, "VmRSS")

    def forget_peak(self) -> None:
        """Let the peak begin anew at what is held now (proc(5), clear_refs)."""
        Path(f"/proc/{self.worker}/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most bytes of memory that the web process held since `forget_peak`."""
        return _status(self.worker, "VmHWM")

    def busy(self) -> float:
        """Seconds of a core that the web process has used so far (proc_pid_stat(5))."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        """Threads of the web process."""
        return len(list(Path(f"/proc/{self.worker}/task").iterdir()))

    def store_connections(self) -> int:
        """Connections of the web process to the store that are established."""
        table = Path(f"/proc/{self.worker}/net/tcp").read_text().splitlines()[1:]
        rows = [line.split() for line in table]
        own = _sockets(self.worker)
        return sum(
            int(row[2].rpartition(":")[2], 16) == self.store_port
            and row[3] == ESTABLISHED
            and row[9] in own
            for row in rows
        )


@cache
def set_up() -> Path:
    """Load the site into this process, with new secrets and data in memory; once.

    For suites that serve nothing. Returns the file of its environment.
    """
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    env_file, data = folder / "env", folder / "var"
    data.mkdir()
    environment.create(env_file, root=ROOT, data=data)
    os.environ.update(
        SECURESTORE_ENV_FILE=str(env_file), DJANGO_SETTINGS_MODULE="securestore.settings"
    )
    import django

    django.setup()
    return env_file


@contextmanager
def launched(
    folder: Path,
    *,
    temp: Path | None = None,
    wrapper: Sequence[str] = (),
    settings: str = "securestore.settings",
    prepare: Callable[[Path], None] = lambda data: None,
) -> Iterator[MeasuredSite]:
    """Launch a site below `folder` and stop it at the end.

    `prepare` may put something into the folder of its data before; `temp` becomes the folder for
    temporary files of all its processes; `wrapper` is a command that runs the launcher, as `strace`
    does. Raises `LaunchError` when it does not come up.
    """
    data, env_file, port = folder / "var", folder / "env", free_port()
    environment.create(env_file, root=ROOT, data=data)
    prepare(data)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    launcher = Child(
        "The launcher",
        [*wrapper, sys.executable, "-m", "launcher", "--port", str(port), "--data", data],
        env={
            **kept,
            **({"TMPDIR": str(temp)} if temp else {}),
            # Byte code is written when a module is first imported: not while we watch files.
            "PYTHONDONTWRITEBYTECODE": "1",
            "SECURESTORE_ENV_FILE": str(env_file),
            "DJANGO_SETTINGS_MODULE": settings,
            "DJANGO_SUPERUSER_USERNAME": NAME,
            "DJANGO_SUPERUSER_EMAIL": f"{NAME}@example.org",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        },
        cwd=ROOT,
        log=folder / "launcher.log",
        grace=60,
    )
    try:
        launcher.wait_until(Site("127.0.0.1", port, ()).is_ready, seconds=120)
        yield MeasuredSite(
            port, data, env_file, _store_port(env_file), _web_process(launcher.pid, port)
        )
    finally:
        launcher.stop()


def _store_port(env_file: Path) -> int:
    line = next(
        line for line in env_file.read_text().splitlines() if line.startswith("S3_ENDPOINT_URL=")
    )
    return int(line.rpartition(":")[2])


def _web_process(launcher: int, port: int) -> int:
    """The descendant that does the work: Granian's manager only waits for its one worker."""
    granian = next(
        pid
        for pid in _descendants(launcher)
        if b"granian" in _command(pid) and f"--port={port}".encode() in _command(pid)
    )
    return max(_descendants(granian), key=lambda pid: _status(pid, "VmRSS"))


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _status(pid: int, field: str) -> int:
    """A field of /proc/<pid>/status in bytes; the kernel counts in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise KeyError(field)


def _sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets: a network namespace's table lists everybody's."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # Closed meanwhile.
            continue
        if target.startswith("socket:["):
            found.add(target[len("socket:[") : -1])
    return found


def growth(site: MeasuredSite, work: Callable[[], object]) -> int:
    """Bytes by which the web process's peak during `work` exceeds what it held before."""
    site.forget_peak()
    before = site.resident()
    work()
    return site.peak() - before
