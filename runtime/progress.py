"""How far a long command is: a bar for who looks at a terminal, lines of the log for who does not.

A bar is drawn over itself ten times a second; in a file, a pipe or a journal that would be one line
without an end, between lines of the log which programs read. There it is a record, twice a minute.
"""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import Any, Final, Self

from tqdm import tqdm

log = logging.getLogger(__name__)

EVERY: Final = 30.0
"""Seconds between two lines."""

_LINE: Final = "{desc}: {percentage:.0f}%, {n_fmt} of {total_fmt}, {rate_fmt}, {remaining} left"
_OPEN: Final = "{desc}: {n_fmt}, {rate_fmt}"


class Progress:
    """Counts up to `total`, which may become known late. Use as a context manager.

    `scale` writes 1.5M for 1,500,000. Away from a terminal a run that succeeds ends with a line,
    unless it is `brief`: then a run of less than `EVERY` seconds says nothing. Nothing is said at
    all unless `shown`.
    """

    def __init__(
        self,
        desc: str,
        *,
        unit: str,
        total: float | None = None,
        scale: bool = False,
        brief: bool = False,
        shown: bool = True,
    ) -> None:
        self.n: float = 0
        self._total = total
        self._brief = brief
        self._shown = shown
        self._begun = self._said = time.monotonic()
        self._looks: dict[str, Any] = {"desc": desc, "unit": unit, "unit_scale": scale}
        self._bar: tqdm[Any] | None = None
        if shown and sys.stderr.isatty():
            self._bar = tqdm(total=total, file=sys.stderr, **self._looks)

    def update(self, count: float = 1) -> None:
        """So much more is done."""
        self.n += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._said >= EVERY:
            self._say()

    def expect(self, total: float | None) -> None:
        """It is known anew how much there is in all."""
        self._total = total
        if self._bar is not None:
            self._bar.total = total
            self._bar.refresh()

    def reset(self, total: float | None) -> None:
        """Begin again, with another total."""
        self.n, self._total = 0, total
        self._begun = self._said = time.monotonic()
        if self._bar is not None:
            self._bar.reset(total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif error is None and not self._brief:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        if not self._shown:
            return
        line = tqdm.format_meter(
            n=self.n,
            total=self._total or 0,
            elapsed=self._said - self._begun,
            bar_format=_LINE if self._total else _OPEN,
            prefix=self._looks["desc"],
            unit=self._looks["unit"],
            unit_scale=self._looks["unit_scale"],
        )
        log.info("%s", " ".join(line.split()))
