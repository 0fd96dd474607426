"""Start, wait, stop: the launcher's children and the signals that end them.

Signals only note that they came; the one place that waits, `pause`, acts on them. So nothing is
interrupted half way, and whatever was started is stopped, in reverse order, however the block ends.
"""

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from launcher.errors import LaunchError
from launcher.process import Child

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):
    """A person or a service manager asked the launcher to stop."""


class Supervisor:
    """Owns children for the length of a `with` block in the main thread."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._children: list[Child] = []
        self._stop_requested = False
        self._signals = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._woken = self._signals.enter_context(_signals_to_socket(self._note))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Our handlers stay until all is stopped: a second Ctrl-C must not leave anything running.
        with self._signals:
            while self._children:
                self._children.pop().stop()

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        log: Path | None = None,
        keep: Sequence[int] = (),
        grace: float = 15.0,
    ) -> Child:
        """Start a process that is to run until the end."""
        child = Child(name, argv, env=env, cwd=cwd or self._cwd, log=log, keep=keep, grace=grace)
        self._children.append(child)
        return child

    def ask(self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str]) -> str:
        """Run a process to its end; return its standard output, 64 KiB at most.

        Raises `LaunchError` when it fails. What it said before that, or before a stop was asked
        for, is shown: it may be said only once.
        """
        # Not a file: it may be secret.
        reader, writer = os.pipe()
        with os.fdopen(reader, encoding="utf-8", errors="replace") as said:
            try:
                step = Child(name, argv, env=env, cwd=self._cwd, output=writer)
            finally:
                os.close(writer)
            try:
                self._finish(step)
            except BaseException:
                step.stop()
                sys.stdout.write(said.read())
                raise
            return said.read()

    def _finish(self, step: Child) -> None:
        self._children.append(step)
        while (code := step.exit_code()) is None:
            self.pause(1.0)
            self._require_children(besides=step)
        self._children.remove(step)
        step.stop()
        if code != 0:
            raise LaunchError(f"{step.name} failed (exit code {code}): see above.")

    def wait_until(self, ready: Callable[[], bool], child: Child, *, seconds: float) -> None:
        """As `Child.wait_until`, and raises `StopRequested` when that comes first."""
        child.wait_until(ready, seconds=seconds, pause=self.pause)

    def watch(self) -> None:
        """Wait until a stop is asked for (`StopRequested`) or a child ends (`LaunchError`)."""
        while True:
            self._require_children()
            self.pause(None)

    def pause(self, seconds: float | None) -> None:
        """Wait that long, or until a signal or the end of a child. Raises `StopRequested`."""
        if not self._stop_requested and select.select([self._woken], [], [], seconds)[0]:
            self._woken.recv(4096)
        if self._stop_requested:
            raise StopRequested

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in STOPPING:
            self._stop_requested = True

    def _require_children(self, besides: Child | None = None) -> None:
        for child in self._children:
            if child is not besides:
                child.require_running()


@contextlib.contextmanager
def _signals_to_socket(
    handler: Callable[[int, FrameType | None], None],
) -> Iterator[socket.socket]:
    """Yield a socket that becomes readable at each signal that a supervisor cares for."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    numbers = (*STOPPING, signal.SIGCHLD)
    before = {number: signal.signal(number, handler) for number in numbers}
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, former in before.items():
            signal.signal(number, former)
        reader.close()
        writer.close()
