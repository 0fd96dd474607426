"""Blocks through a few threads: read in turn, worked on at once, written in the order of reading.

For work that leaves the interpreter lock alone, as the cipher, the MAC and the system's reading
and writing do. Each thread carries its block from end to end in buffers of its own: what a core
has read it works on and writes itself, while it is still in that core's cache, and memory is
bounded by the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final, Generic, TypeVar

Room = TypeVar("Room")
Block = TypeVar("Block")
Result = TypeVar("Result")

MOST_THREADS: Final = 8
"""More would only wait for each other to read and write, and hold more memory."""

_PATIENCE: Final = 5.0
"""Seconds that an interrupted run waits for the writing that it has begun."""


def thread_count() -> int:
    """As many as there are cores that this process may use, within reason."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(MOST_THREADS, cores or 1))


class Pipeline(Generic[Room, Block, Result]):
    """`read` fills a room and returns a block, or None at the end; then `work`, then `write`.

    `read` and `write` are never called by two threads at once. A result lies in the room that its
    block was read into, and is used before that is read into again. `run` raises the first error,
    by the order of blocks: all blocks before it have been written, and none after it.
    """

    def __init__(
        self,
        room: Callable[[], Room],
        read: Callable[[Room], Block | None],
        work: Callable[[Block], Result],
        write: Callable[[Result], object],
    ) -> None:
        self._room = room
        self._read = read
        self._work = work
        self._write = write
        self._reading = Lock()
        self._read_all = False
        self._stopped = False
        self._error: BaseException | None = None
        self._last = Lock()  # Free when every block that was read has been written.

    def run(self, threads: int) -> None:
        """Until the end, an error, or an exception in this thread, as of an interrupt."""
        rooms = [self._room() for _ in range(threads)]
        # Daemons: one that waits for its input must not keep an interrupted process from ending.
        workers = [Thread(target=self._serve, args=(room,), daemon=True) for room in rooms]
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        except BaseException:
            self._stopped = True
            self._last.acquire(timeout=_PATIENCE)
            raise
        if self._error is not None:
            raise self._error

    def _serve(self, room: Room) -> None:
        while (taken := self._take(room)) is not None:
            block, before, done = taken
            try:
                try:
                    result = self._work(block)
                finally:
                    before.acquire()
                if self._error is None and not self._stopped:
                    self._write(result)
            except BaseException as error:  # Raised again by `run`.
                self._fail(error)
            finally:
                done.release()

    def _take(self, room: Room) -> tuple[Block, Lock, Lock] | None:
        """The next block; a lock that is free when those before it are written; and its own."""
        with self._reading:
            if self._read_all or self._stopped:
                return None
            try:
                block = self._read(room)
            except BaseException as error:
                with self._last:
                    self._fail(error)
                return None
            if block is None or self._stopped:
                self._read_all = True
                return None
            before, self._last = self._last, Lock()
            self._last.acquire()
            return block, before, self._last

    def _fail(self, error: BaseException) -> None:
        """Called when all blocks before the failed one are done with: the first error stays."""
        self._read_all = True
        self._error = self._error or error
