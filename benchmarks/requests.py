"""What is asked of a running site besides one large transfer: the end of a large file, many
downloads at once, and the verification of all that is stored.

The peers speak to the same store without us: no permission, no key, no record, no audit.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks import small
from benchmarks.measure import MIB, Figure, Peer, against, by_turns, rates, seconds
from benchmarks.site import ROOT
from benchmarks.transfers import Bench, bench, drain
from benchmarks.visitor import body_of

LARGE = 4096 * MIB
END = 64 * 1024
ASKED = 50
"""Requests for the end of the large file in each round: one alone would measure a timer."""

AT_ONCE, SHARED = 16, 256 * MIB
VERIFIED = 8
"""Files of `SHARED` bytes that are verified, beside the small ones of `small`."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """On sites of their own, whose files are larger than `size` would make them."""
    del size
    with bench(0) as ready:
        large = ready.visitor.upload_form("large", LARGE, body_of(LARGE))
        yield from _ranges(ready, large, runs)
        yield from _at_once(ready, runs)
    with bench(0) as ready:
        for number in range(VERIFIED):
            ready.visitor.upload_form(f"of size {number}", SHARED, body_of(SHARED))
        small.upload(ready.visitor)
        yield from _verification(ready, runs)


def _ranges(ready: Bench, large: str, runs: int) -> Iterator[Figure]:
    visitor, name = ready.visitor, ready.site.object_name(large)
    ours = {"Range": f"bytes={LARGE - END}-{LARGE - 1}"}
    length = ready.store.head_object(Bucket=ready.bucket, Key=name)["ContentLength"]
    theirs = f"bytes={length - END}-{length - 1}"

    def download() -> None:
        _expect(END, visitor.fetch(f"/files/{large}/download/", status=206, **ours))

    def raw() -> None:
        answer = ready.store.get_object(Bucket=ready.bucket, Key=name, Range=theirs)
        _expect(END, drain(answer["Body"]))

    each: dict[str, list[float]] = {"ours": [], "raw": []}
    for _ in range(runs):
        # One after the other, so that what ours does after its last byte is not in its way.
        with visitor.keep_alive():
            times = by_turns({"ours": download, "raw": raw}, runs=ASKED)
        for who, taken in times.items():
            each[who].append(1000 * statistics.median(taken))
    peers = {"raw": Peer("a ranged GET from the store", 1.8, at_most=True)}
    yield from against("Last 64 KiB of 4 GiB", "ms", each, ours="ours", peers=peers)


def _at_once(ready: Bench, runs: int) -> Iterator[Figure]:
    size = SHARED
    file_id = ready.visitor.upload_form("shared", size, body_of(size))
    slowest: list[float] = []
    mean: list[float] = []

    def one() -> float:
        return size / MIB / seconds(lambda: _expect(size, ready.visitor.download(file_id)))

    def together() -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            each = list(pool.map(lambda _: one(), range(AT_ONCE)))
        slowest.append(min(each))
        mean.append(sum(each) / AT_ONCE)

    times = by_turns({"one": one, "together": together}, runs=runs)
    measured = {
        "one": rates(size / MIB, times)["one"],
        "together": [AT_ONCE * size / MIB / taken for taken in times["together"]],
    }
    peers = {"one": Peer("one download", 1.0)}
    yield from against("16 downloads at once", "MiB/s", measured, ours="together", peers=peers)
    # The first one did not count.
    fair = {"slowest": slowest[1:], "mean": mean[1:]}
    peers = {"mean": Peer("the mean of them", 0.5)}
    yield from against("The slowest of the 16", "MiB/s", fair, ours="slowest", peers=peers)


def _verification(ready: Bench, runs: int) -> Iterator[Figure]:
    objects = ready.store.get_paginator("list_objects_v2").paginate(Bucket=ready.bucket)
    listed = [found for page in objects for found in page.get("Contents", [])]
    # Those of the peer above are nobody's.
    names = [found["Key"] for found in listed if not found["Key"].startswith(("peer/", "warm"))]
    total = sum(found["Size"] for found in listed if found["Key"] in set(names))
    env = {**os.environ, "SECURESTORE_ENV_FILE": str(ready.site.env_file)}

    def verify() -> None:
        command = [sys.executable, "manage.py", "verify_files"]
        subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)  # noqa: S603 - our own

    def read() -> None:
        for name in names:
            drain(ready.store.get_object(Bucket=ready.bucket, Key=name)["Body"])

    measured = rates(total / MIB, by_turns({"ours": verify, "raw": read}, runs=runs))
    peers = {"raw": Peer("GET of all objects", 0.75)}
    yield from against("verify_files", "MiB/s", measured, ours="ours", peers=peers)


def _expect(wanted: int, got: int) -> None:
    if wanted != got:
        raise RuntimeError(f"{got} bytes came, not {wanted}")
