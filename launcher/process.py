"""One process that cannot outlive the launcher.

Each child leads its own session: Ctrl-C in the terminal reaches the launcher alone, which stops
its children in order. Where the system can (Linux), the kernel terminates the child when the
launcher is killed outright.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from launcher.errors import LaunchError

PR_SET_PDEATHSIG = 1  # prctl(2)


class Child:
    """A running process, in its own process group, tied to this one."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path | None = None,
        output: int | None = None,
        keep: Sequence[int] = (),
        grace: float = 15.0,
    ) -> None:
        """Start `argv`; what it says goes to `log`, or where this process's own goes.

        `output` is a descriptor for the standard output alone.

        `keep` are descriptors that it inherits; `grace` is how long (seconds) it may take to stop
        before it is killed.
        """
        self.name = name
        self.log = log
        self._grace = grace
        with contextlib.ExitStack() as stack:
            errors = None
            if log is not None:
                output = errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                stack.callback(os.close, output)
            self._process = subprocess.Popen(
                [str(part) for part in argv],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                pass_fds=tuple(keep),
                start_new_session=True,
                # Sockets have no other lock: files and doors are for this account alone.
                umask=0o077,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - it takes no lock.
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """Its exit code (negative: the signal that ended it), or None while it runs."""
        return self._process.poll()

    def require_running(self) -> None:
        """Raise `LaunchError`, naming its log, when it has ended by itself."""
        if (code := self.exit_code()) is not None:
            raise LaunchError(f"{self.name} has stopped (exit code {code}): see {self._words}.")

    def wait_until(
        self,
        ready: Callable[[], bool],
        *,
        seconds: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Wait until `ready()`. Raises `LaunchError` when it ends before, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.require_running()
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"{self.name} was not ready within {seconds:.0f} s: see {self._words}."
                )
            pause(0.05)

    @property
    def _words(self) -> str:
        """Where its last words are."""
        return str(self.log) if self.log else "above"

    def stop(self) -> None:
        """Ask it to end, wait, then kill whatever of its group is left. A dead one is no error."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._grace)
        # Also after a clean end: a worker may have outlived the process that was to stop it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _end_with_parent() -> Callable[[], None] | None:
    """What the child runs before its program, so that it gets SIGTERM when this process dies."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # It died before the line above.
            os._exit(1)

    return tie
