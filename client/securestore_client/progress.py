"""How far a transfer is, on standard error: a line that is written over, on a terminal alone."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

EVERY = 0.2


def in_words(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


class Progress:
    """Counts bytes and things from any thread. Silent where nobody watches."""

    def __init__(self, *, quiet: bool = False, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._shown = not quiet and self._out.isatty()
        self._lock = threading.Lock()
        self._began = self._last = time.monotonic()
        self._bytes = self._total = self._things = 0

    def expect(self, count: int) -> None:
        """So many bytes more are to come."""
        with self._lock:
            self._total += count

    def moved(self, count: int) -> None:
        """So many bytes travelled."""
        with self._lock:
            self._bytes += count
            self._show()

    def thing(self) -> None:
        """One file is through."""
        with self._lock:
            self._things += 1

    def _show(self) -> None:
        now = time.monotonic()
        if not self._shown or now - self._last < EVERY:
            return
        self._last = now
        rate = self._bytes / max(now - self._began, 0.001)
        total = f" of {in_words(self._total)}" if self._total else ""
        self._out.write(
            f"\r{in_words(self._bytes)}{total}, {in_words(rate)}/s, files: {self._things}\x1b[K"
        )
        self._out.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self._out.write(("\r\x1b[K" if self._shown else "") + text + "\n")
            self._out.flush()

    def end(self) -> None:
        """Leave no half line."""
        with self._lock:
            if self._shown:
                self._out.write("\r\x1b[K")
                self._out.flush()
