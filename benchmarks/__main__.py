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

from benchmarks import bounds, codec, rewrap, transfers
from benchmarks.measure import MIB, Figure

RESULTS = Path(__file__).with_name("results.json")
# The last one loads the site into this process.
SUITES: dict[str, Callable[[int, int], Iterator[Figure]]] = {
    "codec": codec.figures,
    "transfers": transfers.figures,
    "bounds": bounds.figures,
    "rewrap": rewrap.figures,
}
UNITS = {"MIB": MIB, "GIB": 1024 * MIB}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    measured: dict[str, list[Figure]] = {}
    for name in options.only or SUITES:
        measured[name] = []
        for figure in SUITES[name](options.size, options.runs):
            measured[name].append(figure)
            sys.stdout.write(line(figure))
            sys.stdout.flush()
    outcome = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "size": options.size,
        "runs": options.runs,
        "figures": {
            name: [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
            for name, figures in measured.items()
        },
    }
    RESULTS.write_text(json.dumps(outcome, indent=2) + "\n")
    return 0


def line(figure: Figure) -> str:
    """One row of the table."""
    row = f"{figure.name:<32}{figure.value:>8.0f} {figure.unit:<7}"
    if figure.ratio is not None:
        row += f"{figure.ratio:>6.2f} x {figure.peer_value:.0f}, {figure.peer}"
    return row.rstrip() + "\n"


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
