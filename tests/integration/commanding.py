"""The command as people run it, its one file, against a site as users run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command import MEASURED, token_of
from benchmarks.site import MeasuredSite
from client import build
from launcher.ports import LOOPBACK

ROOT = Path(__file__).parents[2]
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
