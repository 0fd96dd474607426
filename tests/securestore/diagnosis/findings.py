"""What probes of `doctor` say, as tests ask for it."""

from __future__ import annotations

from typing import Any

from runtime.findings import Line, examine


def lines(*probes: Any) -> list[Line]:
    return list(examine((probe.__name__, probe) for probe in probes))


def one(probe: Any) -> Line:
    [line] = lines(probe)
    return line
