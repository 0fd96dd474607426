"""Many small files, on connections that are kept: one by one, and four at a time.

The peer puts the same bytes into the same store, and that is all: no permission, no key, no record,
no event, and no reading back of what was stored.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.measure import Figure, Peer, against, by_turns, rates
from benchmarks.transfers import Bench, bench
from benchmarks.visitor import Visitor

SIZE, COUNT = 4096, 500
AT_ONCE = 4


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Files a second, and what the web process uses of a core for one; `size` says nothing here."""
    del size
    with bench(0) as ready:
        visitors = [Visitor(ready.site.port) for _ in range(AT_ONCE)]
        for visitor in visitors:
            visitor.sign_in()
        busy: list[float] = []
        ways = {
            "one": partial(_counted, ready, visitors[0], busy),
            "four": partial(_together, visitors),
            "put": partial(_put, ready),
            "put four": partial(_put_together, ready),
        }
        measured = rates(COUNT, by_turns(ways, runs=runs))
    peers = {"put": Peer("put_object to the store, one by one", 0.35)}
    yield from against("Small files, one by one", "files/s", measured, ours="one", peers=peers)
    peers = {
        "put": Peer("put_object to the store, one by one", 1.0),
        "put four": Peer("put_object to the store, four at a time"),
    }
    yield from against("Small files, four at a time", "files/s", measured, ours="four", peers=peers)
    # The first one did not count.
    yield Figure("Web process, CPU of a small file", "ms", busy[1:])


def upload(visitor: Visitor, count: int = COUNT) -> None:
    """So many small files, one by one on one connection."""
    content = os.urandom(SIZE)
    with visitor.keep_alive():
        for number in range(count):
            visitor.upload_at_once(f"small {number}", content)


def _counted(ready: Bench, visitor: Visitor, busy: list[float]) -> None:
    before = ready.site.busy()
    upload(visitor)
    busy.append(1000 * (ready.site.busy() - before) / COUNT)


def _together(visitors: list[Visitor]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(upload, count=COUNT // AT_ONCE), visitors))


def _put(ready: Bench, count: int = COUNT) -> None:
    content = os.urandom(SIZE)
    for _ in range(count):
        key = f"peer/{os.urandom(8).hex()}"
        ready.store.put_object(Bucket=ready.bucket, Key=key, Body=content)


def _put_together(ready: Bench) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(_put, ready), [COUNT // AT_ONCE] * AT_ONCE))
