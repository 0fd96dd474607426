"""Fair comparisons: ours and its peers by turns, in one process, so that noise meets them all."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Figure:
    """One thing measured: the median of its runs in `unit`, and how it compares with its peer."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    """The peer's, in the same unit; None where there is nothing to compare with."""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return None if self.peer_value is None else self.value / self.peer_value


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def by_turns(
    contenders: Mapping[str, Callable[[], object]], *, runs: int
) -> dict[str, list[float]]:
    """Seconds of each contender in each of `runs` rounds, after one that does not count."""
    for work in contenders.values():
        work()
    rounds = [{name: seconds(work) for name, work in contenders.items()} for _ in range(runs)]
    return {name: [taken[name] for taken in rounds] for name in contenders}


def rates(amount: float, times: Mapping[str, list[float]]) -> dict[str, float]:
    """The median amount per second of each."""
    return {name: amount / statistics.median(taken) for name, taken in times.items()}


def against(
    name: str, unit: str, measured: Mapping[str, float], *, ours: str, peers: Mapping[str, str]
) -> Iterator[Figure]:
    """A figure for each peer; `peers` says in words what each key stands for."""
    for key, words in peers.items():
        yield Figure(name, measured[ours], unit, words, measured[key])
