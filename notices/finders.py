"""What people are to be told that no request of theirs, or of anybody, may wait for.

Who finds such things registers a function; `deliver` calls all of them before it sends. So what is
found takes the time of nobody who could tell from it whether there was anything to find.
"""

from __future__ import annotations

from collections.abc import Callable

_finders: list[Callable[[], object]] = []


def register(finder: Callable[[], object]) -> None:
    """Have that called whenever mails are delivered. It tells in transactions of its own."""
    if finder not in _finders:
        _finders.append(finder)


def tell() -> None:
    """Call all of them. Raises DatabaseError."""
    for finder in _finders:
        finder()
