"""The command as people run it, its one file, against a site as users run it."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.command import MEASURED, token_of
from benchmarks.site import MeasuredSite
from client import build
from launcher.ports import LOOPBACK

ROOT = Path(__file__).parents[2]
CHUNK = 64 * 1024
SCOPES = ("read", "add", "share", "manage", "audit")


@dataclass(frozen=True)
class Ended:
    """What became of one run."""

    code: int
    out: bytes
    err: str
    peak: int
    """Bytes of memory that it held at most."""
    seconds: float


class Command:
    """`securestore` on a machine with a token of the site's administrator."""

    def __init__(self, site: MeasuredSite, folder: Path, *, port: int = 0) -> None:
        build.build(folder / "program")
        self.program = folder / "program" / build.ONE_FILE
        self.here = folder / "here"
        self.here.mkdir(exist_ok=True)
        self._token = folder / "token"
        if not self._token.exists():
            self._token.write_text(token_of(site, *SCOPES))
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "SECURESTORE_KEYRING": "off",
            "SECURESTORE_SERVER": f"http://{LOOPBACK}:{port or site.port}",
            "SECURESTORE_TOKEN_FILE": str(self._token),
            "SECURESTORE_PATIENCE": "60",
        }

    @property
    def token(self) -> str:
        return self._token.read_text().strip()

    def start(
        self, *words: str | Path, stdin: Path | None = None, before: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Begin a run, which the test may kill."""
        command = [*before, sys.executable, str(self.program), *map(str, words)]
        with (stdin or Path(os.devnull)).open("rb") as file:
            return subprocess.Popen(
                command,
                cwd=self.here,
                env=self.env,
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def run(self, *words: str | Path, stdin: Path | None = None) -> Ended:
        """Run to the end."""
        measured = self.program.with_name("peak")
        before = (sys.executable, "-S", "-c", MEASURED, str(measured))
        began = time.monotonic()
        out, err = (process := self.start(*words, stdin=stdin, before=before)).communicate()
        seconds = time.monotonic() - began
        peak = int(measured.read_text())
        return Ended(process.returncode, out, err.decode(errors="replace"), peak, seconds)

    def killed(self, *words: str | Path, after: float) -> bool:
        """Begin, and SIGKILL after so many seconds; whether it was still at work."""
        process = self.start(*words)
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
        was_running = process.poll() is None
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.communicate()
        return was_running


class Unsteady:
    """A proxy on loopback that cuts connections, after as many bytes as chance says.

    In either direction, by an end or a reset; `cuts` are left. Use as a context manager.
    """

    def __init__(self, target: int, chance: random.Random, *, least: int, most: int) -> None:
        self._target = target
        self._chance = chance
        self._bounds = (least, most)
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.left = 0
        self.made = 0
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            suppress(OSError),
            socket.create_connection((LOOPBACK, self._target)) as server,
        ):
            self._pass(client, server)

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            least, most = self._bounds
            limit = int(least * (most / least) ** self._chance.random())
        passed = 0
        while True:
            ready, _, _ = select.select([client, server], [], [])
            for source, other in ((client, server), (server, client)):
                if source not in ready:
                    continue
                data = source.recv(CHUNK)
                if not data:
                    return
                passed += len(data)
                if passed > limit and self._may_cut():
                    other.sendall(data[: max(0, limit - passed + len(data))])
                    return
                other.sendall(data)

    def _may_cut(self) -> bool:
        with self._lock:
            if not self.left:
                return False
            self.left -= 1
            self.made += 1
            return True
