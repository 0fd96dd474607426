"""Blocks through a few threads and out again in order, in bounded memory.

For work that leaves the interpreter lock alone, as the cipher and the MAC do. Reading the blocks
and using the results stay in the caller's thread, so an interrupt or an error there ends it all.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final, Generic, TypeVar

Block = TypeVar("Block")
Result = TypeVar("Result")

MOST_THREADS: Final = 8
"""More would only hold more memory: reading and writing are one thread's."""


def thread_count() -> int:
    """As many as there are cores that this process may use, within reason."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(MOST_THREADS, cores or 1))


def in_order(
    blocks: Iterable[Block], work: Callable[[Block], Result], *, threads: int, ahead: int
) -> Iterator[Result]:
    """Yield `work` of each block, in the order of the blocks.

    A block is taken from `blocks` only when fewer than `ahead` others are under way and the
    result before has been used: a ring of `ahead` buffers is enough. What `work` raises is raised
    at that block's turn. When the iterator is closed, no thread is left at work.
    """
    jobs: SimpleQueue[_Job[Block, Result] | None] = SimpleQueue()
    pending: deque[_Job[Block, Result]] = deque()
    # Daemons: an interrupt during the clean-up below must not keep the process from ending.
    workers = [Thread(target=_serve, args=(jobs, work), daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        for block in blocks:
            pending.append(_Job(block))
            jobs.put(pending[-1])
            if len(pending) == ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for job in pending:
            job.wanted = False
        for _ in workers:
            jobs.put(None)
        for worker in workers:
            worker.join()


class _Job(Generic[Block, Result]):
    """One block on its way."""

    __slots__ = ("_block", "_done", "_error", "_result", "wanted")

    def __init__(self, block: Block) -> None:
        self._block = block
        self._done = Lock()
        self._done.acquire()
        self._error: BaseException | None = None
        self.wanted = True

    def do(self, work: Callable[[Block], Result]) -> None:
        """In a worker."""
        try:
            if self.wanted:
                self._result = work(self._block)
        except BaseException as error:  # Raised again where the result is asked for.
            self._error = error
        finally:
            self._done.release()

    def result(self) -> Result:
        """Wait for it. In the thread that has asked, so that an interrupt arrives."""
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return self._result


def _serve(jobs: SimpleQueue[_Job[Block, Result] | None], work: Callable[[Block], Result]) -> None:
    while (job := jobs.get()) is not None:
        job.do(work)
