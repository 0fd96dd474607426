"""Parts of one object on their way to the store: a few at once, confirmed in any order.

Safe is what has no gap: the parts from the first to the last before one that is still missing. A
part that failed stays, and fails whoever goes on regardless. Not to be shared between threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

AT_ONCE = 3
"""Parts of one object that travel at once, at most."""

_SHARED = threading.BoundedSemaphore(AT_ONCE - 1)
"""Buffers beyond the two of each writer, for all writers of this process."""


class SentPart(NamedTuple):
    """A part that the store has confirmed, and the buffer that it was sent from."""

    number: int
    etag: str
    buffer: bytearray


class Parts:
    """The parts of one multipart upload. `upload` sends one, by number, and returns its ETag.

    `may_share`: parts of this size are what the shared buffers are meant for.
    """

    def __init__(
        self,
        upload: Callable[[int, bytearray, int], str],
        *,
        etags: tuple[str, ...],
        may_share: bool,
    ) -> None:
        self.etags = list(etags)
        """Of the parts that are safe, in order."""
        self.next_number = len(etags) + 1
        self.pool: ThreadPoolExecutor | None = None
        """Threads of parts, and one more that no part ever takes; none before the first part."""
        self._upload = upload
        self._may_share = may_share
        self._shared = 0
        self._spares: list[bytearray] = []
        self._travelling: set[Future[SentPart]] = set()
        self._arrived: dict[int, str] = {}

    @property
    def are_travelling(self) -> bool:
        """Whether any part is under way."""
        return bool(self._travelling)

    @property
    def one_has_arrived(self) -> bool:
        """Whether `arrive` would tell of one without a wait."""
        return any(part.done() for part in self._travelling)

    def spare(self, length: int) -> bytearray:
        """A buffer for the next part: one that has been sent, or a new one of `length` bytes."""
        return self._spares.pop() if self._spares else bytearray(length)

    def send(self, buffer: bytearray, length: int) -> None:
        """Hand the first `length` bytes of the buffer to a thread that sends them."""
        if self.pool is None:
            self.pool = ThreadPoolExecutor(AT_ONCE + 1, thread_name_prefix="part")
        self._travelling.add(self.pool.submit(self._send, self.next_number, buffer, length))
        self.next_number += 1

    def _send(self, number: int, buffer: bytearray, length: int) -> SentPart:
        return SentPart(number, self._upload(number, buffer, length), buffer)

    def has_room(self) -> bool:
        """Whether one more part may travel: a buffer of our own or a shared one is free."""
        if len(self._travelling) <= self._shared:
            return True
        if self._may_share and self._shared < AT_ONCE - 1 and _SHARED.acquire(blocking=False):
            self._shared += 1
            return True
        return False

    def arrive(self, timeout: float | None = None) -> bool:
        """Wait for whichever part is there first; whether more is safe now. Raises StoreError."""
        done, others = wait(self._travelling, timeout, FIRST_COMPLETED)
        parts = [future.result() for future in done]
        # Not before: one that failed stays, and fails whoever goes on regardless.
        self._travelling = others
        for part in parts:
            self._arrived[part.number] = part.etag
            self._spares.append(part.buffer)
        safe = len(self.etags)
        while (etag := self._arrived.pop(len(self.etags) + 1, None)) is not None:
            self.etags.append(etag)
        return len(self.etags) > safe

    def close(self) -> None:
        """Let the parts under way land, and give all buffers back."""
        if self.pool is not None:
            self.pool.shutdown(wait=True)
        self._spares.clear()
        self._travelling.clear()
        while self._shared:
            self._shared -= 1
            _SHARED.release()
