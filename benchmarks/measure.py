"""Fair comparisons: ours and its peers by turns, in one process, so that noise meets them all.

A ratio is taken within each round, where both met the same machine, and then its median over the
rounds counts, with the least and the greatest beside it.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MIB = 2**20


@dataclass(frozen=True)
class Figure:
    """One thing measured in `unit`, once in each round, and its peer in the same rounds."""

    name: str
    unit: str
    ours: Sequence[float]
    peer: str = ""
    theirs: Sequence[float] = field(default=())
    """The peer's, in the same unit and the same order; none where there is nothing to compare."""
    reach: float | None = None
    """The ratio that we want."""
    at_most: bool = False
    """Whether less is better: then the ratio must stay below `reach`."""
    at: float | None = None
    """For a point of a curve: what it is drawn over. `name` then names the curve."""

    @property
    def value(self) -> float:
        """The median of ours."""
        return statistics.median(self.ours)

    @property
    def peer_value(self) -> float | None:
        """The median of the peer's."""
        return statistics.median(self.theirs) if self.theirs else None

    @property
    def ratios(self) -> list[float]:
        """Ours divided by the peer's, round by round."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=False)]

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios) if self.theirs else None

    @property
    def reached(self) -> bool | None:
        """Whether the median ratio is what we want; None where nothing is asked."""
        if self.ratio is None or self.reach is None:
            return None
        return self.ratio <= self.reach if self.at_most else self.ratio >= self.reach


def seconds(work: Callable[[], object]) -> float:
    """How long it takes. The garbage of what ran before is not its own."""
    gc.collect()
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


def rates(amount: float, times: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """The amount per second of each, in each round."""
    return {name: [amount / each for each in taken] for name, taken in times.items()}


@dataclass(frozen=True)
class Peer:
    """What ours is compared with, in words, and how far ours shall reach."""

    words: str
    reach: float | None = None
    at_most: bool = False


def against(
    name: str,
    unit: str,
    measured: Mapping[str, Sequence[float]],
    *,
    ours: str,
    peers: Mapping[str, Peer],
) -> Iterator[Figure]:
    """A figure for each peer, by the key of its measurements."""
    for key, peer in peers.items():
        yield Figure(
            name, unit, measured[ours], peer.words, measured[key], peer.reach, peer.at_most
        )
