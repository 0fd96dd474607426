"""Several transfers at once, from a queue that is never long."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

WORKERS: Final = 8
"""Transfers at once, unless told otherwise: a site lets one person have 16."""

_END: Final = None


class AtOnce:
    """Runs what it is given in `workers` threads; leaving the block waits for all of it.

    What a piece of work raises ends the block with it, and what has not begun is left out. The
    threads never keep the process alive, so that Ctrl-C ends it at once.
    """

    def __init__(self, workers: int = WORKERS) -> None:
        self._queue: queue.Queue[Callable[[], object] | None] = queue.Queue(2 * workers)
        self._failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._failure = self._failure or error
            if not isinstance(error, Exception):
                return  # Ctrl-C: nobody waits for anything.
        for _ in self._threads:
            self._queue.put(_END)
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.5)
        if self._failure is not None and error is None:
            raise self._failure

    def do(self, work: Callable[[], object]) -> None:
        """Have it done; waits while as much as may be is waiting. Raises what other work raised."""
        if self._failure is not None:
            raise self._failure
        self._queue.put(work)

    def _work(self) -> None:
        while (work := self._queue.get()) is not _END:
            if self._failure is not None:
                continue
            try:
                work()
            except BaseException as error:
                self._failure = error
