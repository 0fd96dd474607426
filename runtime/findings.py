"""What `doctor` says: one line for each thing it looked at, and what to do about it.

Whatever a probe raises becomes a line, too: a diagnosis must come to its end in a house that is
half broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How it is: a failure keeps files from being stored or read, or lets others at them."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at: how it is, what was seen, and the remedy, if one is needed."""

    level: Level
    part: str
    said: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f" {self.remedy}" if self.remedy else ""
        return " ".join(f"{self.level:<4}  {self.part}: {self.said}{remedy}".split("\n"))


Probe = Callable[[], Iterator[Line]]


def examine(probes: Iterable[tuple[str, Probe]]) -> Iterator[Line]:
    """The lines of all probes, each named for what it looks at."""
    for part, probe in probes:
        try:
            yield from probe()
        except Exception as error:
            # Whatever it is, this part could not be looked at.
            yield Line(Level.FAIL, part, reason(error), "Mend that, and look again.")


def reason(error: BaseException) -> str:
    """An error in one line: its name, and what it says."""
    said = (str(error).splitlines() or [""])[0].strip()
    name = type(error).__name__
    return f"{name}: {said}." if said else f"{name}."
