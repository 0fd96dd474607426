"""`python -m benchmarks`: run them all, print a table, write `benchmarks/results.json`.

The figures are those of one machine at one time. The ratios are what can be compared.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import (
    bounds,
    codec,
    command,
    growth,
    pages,
    requests,
    rewrap,
    scale,
    small,
    tool,
    transfers,
    webdav,
)
from benchmarks.measure import MIB, Figure

RESULTS = Path(__file__).with_name("results.json")
# The last two load the site into this process.
SUITES: dict[str, Callable[[int, int], Iterator[Figure]]] = {
    "codec": codec.figures,
    "tool": tool.figures,
    "transfers": transfers.figures,
    "command": command.figures,
    "webdav": webdav.figures,
    "small": small.figures,
    "requests": requests.figures,
    "growth": growth.figures,
    "bounds": bounds.figures,
    "pages": pages.figures,
    "rewrap": rewrap.figures,
    "scale": scale.figures,
}
UNITS = {"MIB": MIB, "GIB": 1024 * MIB}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # What was not asked for this time stays from the time before.
    suites = json.loads(RESULTS.read_text())["suites"] if RESULTS.exists() else {}
    for name in options.only or SUITES:
        began = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "load": os.getloadavg()}
        figures = []
        for figure in SUITES[name](options.size, options.runs):
            figures.append(described(figure))
            sys.stdout.write(line(figure))
            sys.stdout.flush()
        suites[name] = {
            **began,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "size": options.size,
            "runs": options.runs,
            "figures": figures,
        }
        RESULTS.write_text(json.dumps({"suites": suites}, indent=2) + "\n")
    return 0


def line(figure: Figure) -> str:
    """One row of the table."""
    name = figure.name if figure.at is None else f"{figure.name} at {figure.at:g}"
    row = f"{name:<32}{figure.value:>9.4g} {figure.unit:<7}"
    if figure.ratio is not None:
        least, most = min(figure.ratios), max(figure.ratios)
        row += f"{figure.ratio:>7.3g} x [{least:.3g}-{most:.3g}] {figure.peer_value:.4g} "
        row += figure.peer
    if figure.reached is not None:
        sign = "<=" if figure.at_most else ">="
        row += f": {'reached' if figure.reached else 'MISSED'}, {sign} {figure.reach:g}"
    return row.rstrip() + "\n"


def described(figure: Figure) -> dict[str, Any]:
    """As JSON keeps it: each round's values, their medians, and what was to be reached."""
    return {
        **asdict(figure),
        "value": figure.value,
        "peer_value": figure.peer_value,
        "ratio": figure.ratio,
        "ratios": figure.ratios,
        "reached": figure.reached,
    }


def byte_count(text: str) -> int:
    """`256MiB`, `1GiB` or a count of bytes. Raises ValueError."""
    number, factor = text.upper(), 1
    for unit, value in UNITS.items():
        if number.endswith(unit):
            number, factor = number.removesuffix(unit), value
    if int(number) < 1:
        raise ValueError(text)
    return int(number) * factor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=byte_count, default="1GiB", help="of each transfer")
    parser.add_argument("--runs", type=int, default=5, help="whose median counts")
    parser.add_argument("--only", action="append", choices=SUITES, help="may be given again")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
