"""An end by a signal is an end by an exception, so that temporary files go."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


def _stopped(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """SIGTERM and SIGHUP raise SystemExit within; SIGINT raises KeyboardInterrupt anyway."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _stopped) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
