"""The whole of `make run`, as processes: starts, answers, keeps its data, leaves nothing."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from launcher import environment
from launcher.ports import free_port
from tests.integration import prepared
from tests.launcher.sockets import descendants

ROOT = Path(__file__).parents[2]
READY = "Securestore is ready at "

pytestmark = pytest.mark.integration


class Installation:
    """A `.env` and a data folder of the test's own, and launchers started on them."""

    def __init__(self, folder: Path) -> None:
        self.env_file = folder / "env"
        self.data = folder / "var"
        self.port = free_port()

    @property
    def environment(self) -> dict[str, str]:
        # The suite's own configuration is not theirs: they read the file, as `make run` does.
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, "SECURESTORE_ENV_FILE": str(self.env_file), "PYTHONUNBUFFERED": "1"}

    def command(self, port: int | None = None) -> list[str]:
        chosen = str(port or self.port)
        return [sys.executable, "-m", "launcher", "--port", chosen, "--data", str(self.data)]

    @contextmanager
    def running(self) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
        """A launcher that has said that it is ready, and the lines up to that."""
        with subprocess.Popen(
            self.command(),
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as launcher:
            assert launcher.stdout is not None
            lines: list[str] = []
            try:
                for line in launcher.stdout:
                    lines.append(line)
                    if line.startswith(READY):
                        break
                else:
                    pytest.fail(f"it never was ready: {''.join(lines)}")
                yield launcher, lines
            finally:
                launcher.kill()

    def refused(self, **options: int) -> str:
        """What a launcher says that will not start."""
        done = subprocess.run(
            self.command(**options),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        return done.stderr

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return str(answer.read().decode())


@pytest.fixture
def new(tmp_path: Path) -> Installation:
    """One that has nothing yet."""
    return Installation(tmp_path)


@pytest.fixture
def installation(new: Installation) -> Installation:
    """One that finds its keys, its tables and its static files, and nobody's data."""
    environment.create(new.env_file, root=ROOT, data=new.data)
    prepared.started_before(new.data)
    return new


def own_lines(output: Iterable[str]) -> list[str]:
    """What the launcher says: the site's log, one JSON object a line, goes the same way."""
    return [line for line in output if not line.startswith("{")]


@contextmanager
def all_ending(pids: set[int]) -> Iterator[None]:
    """Fails unless every one of these processes has ended within a minute after the block."""
    handles = {pid: os.pidfd_open(pid) for pid in pids}
    try:
        yield
        for pid, handle in handles.items():
            assert select.select([handle], [], [], 60)[0], f"process {pid} is still there"
    finally:
        for handle in handles.values():
            os.close(handle)


def test_it_starts_answers_and_finds_its_data_again(new: Installation) -> None:
    installation = new
    with installation.running() as (launcher, lines):
        assert lines[-1] == f"{READY}http://127.0.0.1:{installation.port}/\n"
        assert re.search(r"(?m)^Password \(shown only now\): \S{16,}$", "".join(lines))
        assert installation.get("/healthz") == "ok"
        assert "failed" not in installation.get("/readyz")
        keys = installation.env_file.read_bytes()
        again = installation.refused(port=free_port())
        assert f"already runs from this folder (process {launcher.pid})" in again
        with all_ending(descendants(launcher.pid)):
            launcher.send_signal(signal.SIGINT)
        assert launcher.wait(30) == 0
        assert launcher.stdout is not None
        assert own_lines(launcher.stdout) == ["\n", "Securestore has stopped.\n"]

    with installation.running() as (launcher, lines):
        assert "Password" not in "".join(lines)
        assert installation.env_file.read_bytes() == keys
        assert "failed" not in installation.get("/readyz")
        with all_ending(descendants(launcher.pid)):
            launcher.terminate()
        assert launcher.wait(30) == 0


@contextmanager
def at_a_terminal(installation: Installation) -> Iterator[tuple[list[str], bytes]]:
    """A launcher before a person, who then asks for a page.

    Yields what the terminal shows, and what went to standard error, which is a file.
    """
    terminal, theirs = pty.openpty()
    with (
        os.fdopen(terminal, "rb", buffering=0) as screen,
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            installation.command(),
            cwd=ROOT,
            env=installation.environment,
            stdout=theirs,
            stderr=errors,
            start_new_session=True,
        ) as launcher,
    ):
        os.close(theirs)
        try:
            shown = _shown(screen, until=READY.encode())
            installation.get("/accounts/login/")
            shown += _shown(screen, until=b"account_login")
            launcher.send_signal(signal.SIGINT)
            shown += _shown(screen, until=b"has stopped")
            assert launcher.wait(30) == 0
            errors.seek(0)
            yield shown.decode().replace("\r\n", "\n").split("\n"), errors.read()
        finally:
            launcher.kill()


def _shown(screen: BinaryIO, *, until: bytes) -> bytes:
    """What a terminal shows, up to the end of the line with that."""
    shown = b""
    while until not in shown or not shown.endswith(b"\n"):
        shown += screen.read(65_536)
    return shown


def test_a_person_reads_short_lines_and_how_to_sign_in_last(installation: Installation) -> None:
    """First and second start; JSON only where nobody looks."""
    for first in (True, False):
        with at_a_terminal(installation) as (lines, errors):
            ready = lines.index(f"{READY}http://127.0.0.1:{installation.port}/")
            assert lines[ready + 1] == ""
            if first:
                assert lines[ready - 3 : ready - 1] == ["", "First administrator: admin"]
                assert re.fullmatch(r"Password \(shown only now\): \S{16,}", lines[ready - 1])
            else:
                assert lines[ready - 1] == ""
                assert "Password" not in "".join(lines)
            assert not [line for line in lines if line.startswith("{")]
            [request] = [line for line in lines if "account_login" in line]
            assert re.fullmatch(
                r"\d\d:\d\d:\d\d GET account_login 200, \d+ bytes in \d+ ms", request
            )
            assert {line[:1] for line in errors.decode().splitlines()} == {"{"}


def kill_the_launcher(launcher: int) -> None:
    os.kill(launcher, signal.SIGKILL)


def kill_the_store(launcher: int) -> None:
    os.kill(child_named(launcher, "weed"), signal.SIGKILL)


def kill_the_web_server(launcher: int) -> None:
    os.kill(child_named(launcher, "granian"), signal.SIGKILL)


def child_named(launcher: int, word: str) -> int:
    return next(
        pid
        for pid in sorted(descendants(launcher))
        if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    )


@pytest.mark.parametrize(
    ("accident", "said"),
    [
        (kill_the_launcher, ""),
        (kill_the_store, "The embedded store has stopped (exit code -9): see "),
        (kill_the_web_server, "The web server has stopped (exit code -9): see "),
    ],
)
def test_no_accident_leaves_anything_running(
    installation: Installation, accident: Callable[[int], None], said: str
) -> None:
    with installation.running() as (launcher, _):
        with all_ending(descendants(launcher.pid)):
            accident(launcher.pid)
        assert launcher.stdout is not None
        assert said in launcher.stdout.read()
        assert launcher.wait(30) == (1 if said else -signal.SIGKILL)


def test_without_its_keys_old_data_is_left_alone(new: Installation) -> None:
    (new.data / "store").mkdir(parents=True)
    assert "holds data" in new.refused()
    assert not new.env_file.exists()
