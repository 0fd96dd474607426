"""What large transfers, and many at once, add to the memory of the web process.

Bounds, not rates: there is no peer. The test of the same bounds uses smaller files
(tests/integration/test_bounds.py); here a transfer is larger than any buffer could hide.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measure import MIB, Figure
from benchmarks.site import MEMORY, growth, launched
from benchmarks.visitor import Visitor, body_of

LARGE = 4096 * MIB
AT_ONCE = 8
EACH = 256 * MIB

ONE, EACH_OF_MANY = 48, 24
"""MiB that one transfer may add, and each of eight."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Peak memory added by transfers of 4 GiB, and by each of eight at once; once, not `runs`."""
    del size, runs
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, launched(Path(folder)) as site:
        visitor = Visitor(site.port)
        visitor.sign_in()
        warm = visitor.upload_form("warm", MIB, body_of(MIB))
        visitor.upload_tus("warm", MIB, body_of(MIB))
        visitor.download(warm)

        def together(transfer: Callable[[int], object]) -> Callable[[], object]:
            def work() -> None:
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    list(pool.map(transfer, range(AT_ONCE)))

            return work

        def added(
            name: str, work: Callable[[], object], share: int = 1, bound: int = ONE
        ) -> Figure:
            grown = growth(site, work) / share / MIB
            bounds = [float(bound)]
            return Figure(f"Memory: {name}", "MiB", [grown], "the bound", bounds, 1, at_most=True)

        yield added("4 GiB by tus", lambda: visitor.upload_tus("tus", LARGE, body_of(LARGE)))
        yield added("4 GiB by form", lambda: visitor.upload_form("form", LARGE, body_of(LARGE)))
        large = visitor.find("form")
        yield added("download of 4 GiB", lambda: visitor.download(large))
        yield added(
            "each of 8 at once, tus",
            together(lambda n: visitor.upload_tus(f"tus {n}", EACH, body_of(EACH))),
            AT_ONCE,
            EACH_OF_MANY,
        )
        yield added(
            "each of 8 at once, form",
            together(lambda n: visitor.upload_form(f"form {n}", EACH, body_of(EACH))),
            AT_ONCE,
            EACH_OF_MANY,
        )
        stored = visitor.find("form 0")
        yield added(
            "each of 8 downloads",
            together(lambda _: visitor.download(stored)),
            AT_ONCE,
            EACH_OF_MANY,
        )
