"""What became of an object: one line for a person, one JSON object for a program, one exit code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from files.crypto.salvage import Span

CANNOT: Final = 1
"""Exit code when a file cannot be read or written, or a secret cannot be had."""


class Status(StrEnum):
    """How it ended."""

    RESTORED = "restored"
    PRESENT = "already there"
    WRONG_KEY = "wrong key"
    DAMAGED = "damaged"
    PARTIAL = "partial"
    SUPERSEDED = "superseded"
    NO_KEY = "no key"
    NO_OBJECT = "no object"
    FAILED = "failed"


EXIT_CODES: Final = {
    Status.RESTORED: 0,
    Status.PRESENT: 0,
    Status.SUPERSEDED: 0,
    Status.FAILED: CANNOT,
    Status.WRONG_KEY: 3,
    Status.DAMAGED: 4,
    Status.PARTIAL: 5,
    Status.NO_KEY: 6,
    Status.NO_OBJECT: 6,
}
_GRAVEST_FIRST: Final = (CANNOT, 4, 3, 5, 6, 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One object's. `missing` are the ranges that partial recovery left as zero bytes."""

    status: Status
    object: str = ""
    output: str = ""
    reason: str = ""
    size: int | None = None
    missing: list[Span] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "status": self.status.value,
            "object": self.object,
            "output": self.output,
            "reason": self.reason,
            "size": self.size,
            "missing": [{"start": span.start, "end": span.end} for span in self.missing],
        }

    def line(self) -> str:
        """For a person."""
        what = f"{self.status.value.upper()}: {self.output or self.object}"
        if self.status in (Status.RESTORED, Status.PRESENT):
            return f"{what} ({self.size} bytes)"
        lines = [f"{what}: {self.reason}" if self.reason else what]
        lines += [f"  missing: {_in_words(span)}" for span in self.missing]
        return "\n".join(lines)


def _in_words(span: Span) -> str:
    if span.end is None:
        return f"byte {span.start} and all after it, if there are any: the end was not found"
    if span.start == span.end:
        return "the proof that the file is empty"
    return f"bytes {span.start} to {span.end - 1} ({span.end - span.start} bytes)"


def exit_code(outcomes: Iterable[Status]) -> int:
    """The gravest of all."""
    codes = {EXIT_CODES[status] for status in outcomes}
    return next(code for code in _GRAVEST_FIRST if code in codes or not code)


def summary(counts: Counter[Status]) -> str:
    """`12 restored, 1 damaged`."""
    return ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])


def as_json(data: dict[str, Any]) -> str:
    """One line."""
    return json.dumps(data, ensure_ascii=True)
