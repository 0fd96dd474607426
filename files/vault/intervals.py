"""Which bytes of a file were sent: sets of half-open intervals, as sorted lists of [start, stop].

Pure arithmetic: knows no file and no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Interval = list[int]

AT_MOST = 1024
"""Intervals that are kept of one set; of more, the shortest are forgotten, and nothing is added."""


def merged(intervals: Iterable[Interval]) -> list[list[int]]:
    """The same bytes in as few intervals as they take, in order, none of them empty."""
    found: list[list[int]] = []
    for start, stop in sorted(intervals):
        if start >= stop:
            continue
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], stop)
        else:
            found.append([start, stop])
    if len(found) > AT_MOST:
        longest = sorted(found, key=lambda one: one[0] - one[1])[:AT_MOST]
        found = sorted(longest)
    return found


def length(intervals: Iterable[Interval]) -> int:
    """Bytes in merged intervals."""
    return sum(stop - start for start, stop in intervals)


def described(intervals: Sequence[Interval], at_most: int = 8) -> str:
    """Merged intervals as people write them, both ends included: `0-99,200-299`."""
    text = ",".join(f"{start}-{stop - 1}" for start, stop in intervals[:at_most])
    return f"{text},…" if len(intervals) > at_most else text
