"""How many costly derivations run at once in one process, for passwords and passphrases alike.

Each takes up to 100 MiB of memory for some tenths of a second, on purpose. Without a bound, people
who type passwords at the same moment would exhaust the host. Who finds no free slot waits a while
and is then told that it is too busy.

A derivation cannot be stopped. One that has held its slot for longer than any derivation takes is
taken for hung: `check` says so, since only a new process frees what it holds, and others get a slot
in its place, as long as not too many hang.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

SLOTS: Final = 2
"""Derivations at once in one process."""
PATIENCE: Final = 10.0
"""Seconds to wait for a slot."""
LONGEST: Final = 60.0
"""Seconds after which a derivation is taken for hung; on a busy host one takes a second or two."""


class TooBusy(Exception):
    """No slot, or no memory, for a password or passphrase. Nothing is known of what was typed."""

    def __init__(self, reason: str = "too many are being checked at once") -> None:
        super().__init__(f"a password or passphrase could not be checked: {reason}")
        self.reason = reason


class Stuck(Exception):
    """A derivation hangs."""

    def __init__(self, count: int, seconds: float) -> None:
        super().__init__(
            f"{count} derivations of passwords or passphrases hang, the longest for "
            f"{seconds:.0f} seconds: restart the process"
        )


class Slots:
    """So many at once. `patience` and `longest` are seconds."""

    def __init__(self, count: int, *, patience: float, longest: float) -> None:
        self._count = count
        self._patience = patience
        self._longest = longest
        self._changed = Condition()
        self._begun: dict[object, float] = {}

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot for the block. Raises TooBusy, also where the block has no memory.

        Not to be nested: who holds one and asks for another may wait for itself.
        """
        ticket = object()
        with self._changed:
            if not self._changed.wait_for(self._is_free, self._patience):
                raise TooBusy
            self._begun[ticket] = time.monotonic()
        try:
            yield
        except MemoryError:
            raise TooBusy("there is no memory for it") from None
        finally:
            with self._changed:
                del self._begun[ticket]
                self._changed.notify()

    def check(self) -> None:
        """Raises Stuck where a derivation hangs."""
        with self._changed:
            hung = self._hung()
        if hung:
            raise Stuck(len(hung), max(hung))

    def _is_free(self) -> bool:
        hung = len(self._hung())
        return hung <= self._count and len(self._begun) - hung < self._count

    def _hung(self) -> list[float]:
        now = time.monotonic()
        return [now - begun for begun in self._begun.values() if now - begun > self._longest]


DERIVATIONS: Final = Slots(SLOTS, patience=PATIENCE, longest=LONGEST)
"""Those of this process: one bound for all, since all take the same memory."""
