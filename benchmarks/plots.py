"""`python -m benchmarks.plots`: draw the curves of `benchmarks/results.json` for the documentation.

Draws what was measured, and measures nothing itself.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.__main__ import RESULTS
from benchmarks.site import ROOT

mpl.use("Agg")
from matplotlib import pyplot as plt

IMAGES = ROOT / "docs" / "images"
Curves = dict[str, list[dict[str, Any]]]


def main() -> int:
    """Two pictures: time by bytes, and time by the number of files that are stored."""
    found = json.loads(RESULTS.read_text())["suites"] if RESULTS.exists() else {}
    transfers = _curves(found, ["growth", "tool"])
    pages = _curves(found, ["scale"])
    if not transfers or not pages:
        sys.stderr.write("There are no curves yet: run `make bench` first.\n")
        return 1
    _draw(
        transfers,
        IMAGES / "time-by-bytes.png",
        title="Time grows with the bytes, and with nothing else",
        labels=("MiB", "seconds"),
    )
    _draw(
        pages,
        IMAGES / "time-by-files.png",
        title="Pages do not notice how many files are stored",
        labels=("files and grants stored", "milliseconds"),
        logarithmic=True,
    )
    return 0


def _curves(found: dict[str, dict[str, Any]], suites: Sequence[str]) -> Curves:
    curves: Curves = {}
    for suite in suites:
        for figure in found.get(suite, {}).get("figures", []):
            if figure["at"] is not None:
                curves.setdefault(figure["name"], []).append(figure)
    return curves


def _draw(
    curves: Curves,
    path: Path,
    *,
    title: str,
    labels: tuple[str, str],
    logarithmic: bool = False,
) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, found in sorted(curves.items()):
        points = sorted(found, key=lambda point: float(point["at"]))
        middle = [point["value"] for point in points]
        spread = [
            [point["value"] - min(point["ours"]) for point in points],
            [max(point["ours"]) - point["value"] for point in points],
        ]
        over = [point["at"] for point in points]
        axes.errorbar(over, middle, yerr=spread, marker="o", capsize=3, label=name)
    if logarithmic:
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
