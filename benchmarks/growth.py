"""How the time of a transfer grows with its size: a straight line, or something is wrong.

Ours alone.
"""

from collections.abc import Callable, Iterator

from benchmarks.measure import MIB, Figure, seconds
from benchmarks.transfers import TUS_CHUNK, Bench, bench
from benchmarks.visitor import Slice

SIZES = (1, 64, 128, 256, 512, 768, 1024)
"""MiB of each file."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Seconds of an upload by tus, one by form, and a download, of files up to `size` bytes."""
    for mib in (mib for mib in SIZES if mib * MIB <= size):
        times: dict[str, list[float]] = {}
        for _ in range(min(runs, 3)):
            # A site of its own each time: a store that fills the machine's memory slows down.
            with bench(mib * MIB) as ready:
                for name, work in _transfers(ready, mib * MIB).items():
                    times.setdefault(name, []).append(seconds(work))
        for name, taken in times.items():
            yield Figure(name, "s", taken, at=mib)


def _transfers(ready: Bench, size: int) -> dict[str, Callable[[], object]]:
    visitor = ready.visitor
    whole = Slice(ready.input, 0, size)
    stored = visitor.upload_form("stored", size, [whole])
    return {
        "Upload by tus": lambda: visitor.upload_chunks("tus", ready.input, TUS_CHUNK),
        "Upload by form": lambda: visitor.upload_form("form", size, [whole]),
        "Download": lambda: visitor.download(stored),
    }
