"""Every page of a list in turn."""

from __future__ import annotations

from collections.abc import Callable

from files.lists.rows import Page


def every_page(page_after: Callable[[str], Page], *, at_most: int) -> list[Page]:
    """From the first to the last. `page_after` is given the cursor; the first one's is empty."""
    found: list[Page] = []
    cursor = ""
    for _ in range(at_most):
        found.append(page_after(cursor))
        cursor = found[-1].next_cursor
        if not cursor:
            return found
    raise AssertionError("the pages do not end")
