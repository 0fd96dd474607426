"""How the time of a transfer grows with its size: a straight line, or something is wrong.

Ours alone.
"""

from collections.abc import Iterator
from itertools import chain

from benchmarks.measure import MIB, Figure, seconds
from benchmarks.transfers import bench, downloads, uploads

SIZES = (1, 64, 128, 256, 512, 768, 1024)
"""MiB of each file."""

WAYS = {"form": "Upload by form", "tus": "Upload by tus", "download": "Download"}
"""Ours among the ways in and out."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Seconds of an upload by tus, one by form, and a download, of files up to `size` bytes."""
    for mib in SIZES:
        if mib * MIB > size:
            return
        times: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(min(runs, 3)):
            # A site of its own each time: a store that fills the machine's memory slows down.
            with bench(mib * MIB) as ready:
                for name, work in chain(uploads(ready, mib * MIB), downloads(ready)):
                    if name in WAYS:
                        times[name].append(seconds(work))
        for name, taken in times.items():
            yield Figure(WAYS[name], "s", taken, at=mib)
