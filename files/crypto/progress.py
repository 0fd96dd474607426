"""How far a program is, for a person at the terminal; a log gets none of it."""

from __future__ import annotations

import sys
import time


class Progress:
    """Counts bytes. `total` is None where nobody knows it, as of a pipe."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._done = 0
        self._began = self._shown = time.monotonic()
        self._width = 0

    def add(self, count: int) -> None:
        """More bytes are through. It is shown twice a second."""
        self._done += count
        now = time.monotonic()
        if now - self._shown < 0.5 or not sys.stderr.isatty():
            return
        self._shown = now
        rate = max(1.0, self._done / (now - self._began))
        line = f"{self._done / 1e6:,.0f} MB, {rate / 1e6:,.0f} MB/s"
        if self._total is not None:
            left = max(0, self._total - self._done) / rate
            line = (
                f"{self._done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB, "
                f"{rate / 1e6:,.0f} MB/s, {left:,.0f} s left"
            )
        self._width = max(self._width, len(line))
        sys.stderr.write(f"\r{line:<{self._width}}\r")
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave the line empty for what is said next."""
        if self._width:
            sys.stderr.write(f"\r{'':<{self._width}}\r")
            sys.stderr.flush()
            self._width = 0
