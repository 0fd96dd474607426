"""How the time of a transfer grows with its size: a straight line, or something is wrong.

Ours alone, each size by turns with the others, so that a change of the machine meets them all.
"""

from collections.abc import Iterator
from functools import partial

from benchmarks.measure import MIB, Figure, by_turns
from benchmarks.transfers import TUS_CHUNK, bench
from benchmarks.visitor import Slice

SIZES = (1, 64, 128, 256, 512, 768, 1024)
"""MiB of each file."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Seconds of an upload by tus, one by form, and a download, of files up to `size` bytes."""
    sizes = [mib for mib in SIZES if mib * MIB <= size]
    for mib in sizes:
        with bench(mib * MIB) as ready:
            visitor = ready.visitor
            whole = Slice(ready.input, 0, mib * MIB)
            stored = visitor.upload_form("stored", mib * MIB, [whole])
            times = by_turns(
                {
                    "Upload by tus": partial(visitor.upload_chunks, "tus", ready.input, TUS_CHUNK),
                    "Upload by form": partial(visitor.upload_form, "form", mib * MIB, [whole]),
                    "Download": partial(visitor.download, stored),
                },
                runs=min(runs, 3),
            )
            for name, taken in times.items():
                yield Figure(name, "s", taken, at=mib)
