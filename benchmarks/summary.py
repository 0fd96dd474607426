"""`python -m benchmarks.summary`: the table of docs/performance.md, from `benchmarks/results.json`.

Medians of the rounds; the ratio's least and greatest in brackets. Says what was measured when.
"""

import json
import sys
from typing import Any

from benchmarks.__main__ import RESULTS

HEAD = "| | ours | peer | ratio | to reach |\n|---|---:|---:|---:|---:|\n"


def main() -> int:
    """Print a table for each suite."""
    suites = json.loads(RESULTS.read_text())["suites"] if RESULTS.exists() else {}
    for name, suite in suites.items():
        load = suite["load"][0]
        sys.stdout.write(f"\n### {name}: {suite['when'][:10]}, load before it {load:.1f}\n\n")
        sys.stdout.write(HEAD)
        for figure in suite["figures"]:
            if figure["at"] is None:
                sys.stdout.write(row(figure))
    return 0


def row(figure: dict[str, Any]) -> str:
    """One line of the table."""
    ours = f"{number(figure['value'])} {figure['unit']}"
    if figure["ratio"] is None:
        return f"| {figure['name']} | {ours} | | | |\n"
    ratio = number(figure["ratio"])
    spread = f"{number(min(figure['ratios']))}-{number(max(figure['ratios']))}"
    reach = ""
    if figure["reach"] is not None:
        sign = "≤" if figure["at_most"] else "≥"
        reach = f"{sign} {figure['reach']:g}{'' if figure['reached'] else ', **missed**'}"
    peer = f"{number(figure['peer_value'])}: {figure['peer']}"
    return f"| {figure['name']} | {ours} | {peer} | {ratio} [{spread}] | {reach} |\n"


def number(value: float) -> str:
    """With as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
