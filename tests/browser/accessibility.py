"""What every page is held against: axe's rules, layout that stays, and nothing beside the window.

axe-core is what browsers' own audits run (https://github.com/dequelabs/axe-core). Its rule of the
size of targets (WCAG 2.2, 2.5.8) is off by default, and on here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

STEADY = 0.01
"""The sum of all shifts of a page must be below this: half a pixel of a line does not count."""

_NOTE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const moved = entry.sources.map(({ node, previousRect: a, currentRect: b }) =>
      `${node?.nodeName}#${node?.id ?? ""} ${[a.x, a.y, a.width, a.height].map(Math.round)}`
      + ` to ${[b.x, b.y, b.width, b.height].map(Math.round)}`);
    window.shifts.push([entry.value, moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""

_RUN = """axe.run(document, {
  resultTypes: ["violations"],
  rules: { "target-size": { enabled: true } },
}).then((found) => found.violations.flatMap((rule) => rule.nodes.map(
  (node) => `${rule.id}: ${node.target.join(" ")}: ${node.html.slice(0, 150)}`)))"""

_BESIDE = """() => {
  const wide = document.documentElement.scrollWidth;
  return wide <= innerWidth ? [] : [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => `${one.nodeName}#${one.id}.${one.className}`);
}"""


def note_shifts(context: BrowserContext) -> None:
    """Have every page of the context remember what moves in it."""
    context.add_init_script(_NOTE_SHIFTS)


def moved(page: Page) -> tuple[float, list[Any]]:
    """The sum of all shifts since the page was opened (as Cumulative Layout Shift), and each."""
    # Two frames later whatever scripts have changed is painted.
    page.evaluate("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
    found: list[Any] = page.evaluate("window.shifts")
    return sum(value for value, _nodes in found), found


def violations(page: Page) -> list[str]:
    """What axe finds wrong, each with the element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_RUN)
    return found


def beside_the_window(page: Page) -> list[str]:
    """The elements because of which the page scrolls sideways; empty where it does not."""
    found: list[str] = page.evaluate(_BESIDE)
    return found
