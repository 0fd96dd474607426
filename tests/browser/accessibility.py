"""What every page is held against: axe's rules, layout that stays, and nothing beside the window.

Also targets that a finger finds, and tables whose cells say what they are. axe-core is what
browsers' own audits run (https://github.com/dequelabs/axe-core). Its rule of the size of targets
(WCAG 2.2, 2.5.8) is off by default, and on here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import BrowserContext, Frame, Page

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

STEADY = 0.01
"""The sum of all shifts of a page must be below this: half a pixel of a line does not count."""

PIECES = 0.05
"""What a page may move that comes once, in pieces."""

SMALLEST = 24
"""Pixels across that a target has at least (WCAG 2.2, 2.5.8), links within sentences excepted."""

Theme = Literal["light", "dark", "forced"]
WIDE, NARROW = 1280, 390
WIDTHS: Final = (WIDE, NARROW)
Look = tuple[int, Theme]
LOOKS: Final[tuple[Look, ...]] = ((WIDE, "light"), (WIDE, "forced"), (NARROW, "dark"))
"""Each theme once, and each width: colours are the same at both. The width changes once."""

IN_TURN: Final = (LOOKS[:1], LOOKS[1:])
"""What a run looks at of one more state of a page, by turns; `make soak` looks at all of each."""

COLOURS: Final = ("color-contrast", "link-in-text-block")
"""The rules of axe that colours can break; a theme changes nothing else."""

OF_A_PART: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
"""The rules of axe that do not take a whole page."""

_NOTE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const moved = entry.sources.map(({ node, previousRect: a, currentRect: b }) =>
      `${node?.nodeName}#${node?.id ?? ""} ${[a.x, a.y, a.width, a.height].map(Math.round)}`
      + ` to ${[b.x, b.y, b.width, b.height].map(Math.round)}`);
    window.shifts.push([entry.value, moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
"""As Cumulative Layout Shift has it: what moves at once when one acts was asked for."""

_RUN = """(runOnly) => "axe" in window && axe.run(document, {
  resultTypes: ["violations"],
  ...(runOnly.length && { runOnly }),
  rules: { "target-size": { enabled: true } },
}).then((found) => found.violations.flatMap((rule) => rule.nodes.map(
  (node) => `${rule.id}: ${node.target.join(" ")}: ${node.html.slice(0, 150)}`)))"""
"""What is found, or `false` where axe is not there yet."""

_BESIDE = """() => {
  const wide = document.documentElement.scrollWidth;
  return wide <= innerWidth ? [] : [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => `${one.nodeName}#${one.id}.${one.className}`);
}"""

_SMALL = """(smallest) => {
  const targets = "a[href], button, input:not([type=hidden]), select, textarea, summary,"
    + "[role=option]";
  const visible = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && !one.closest(".visually-hidden") && one.getBoundingClientRect().bottom > 0;
  // In a sentence the line decides how high a link is.
  const inText = (one) => one.localName === "a" && getComputedStyle(one).display === "inline"
    && one.parentElement.innerText.trim() !== one.innerText.trim();
  const size = (one) => {
    const all = [one, ...(one.labels ?? [])].map((part) => part.getBoundingClientRect());
    return Math.max(...all.map(({ width, height }) => Math.min(width, height)));
  };
  return [...document.querySelectorAll(targets)]
    .filter((one) => visible(one) && !inText(one) && size(one) < smallest - 0.01)
    .map((one) => `${size(one).toFixed(1)} px: ${one.outerHTML.slice(0, 150)}`);
}"""

_UNHEADED = """() => {
  const seen = (one) => one.checkVisibility() && one.getBoundingClientRect().height > 1;
  const wrong = [];
  for (const table of document.querySelectorAll("main table")) {
    if (!table.checkVisibility()) continue;
    const heads = [...table.querySelectorAll("thead th")];
    if (!heads.length || !heads.every((one) => one.checkVisibility())) {
      wrong.push(`${table.caption?.innerText ?? table.className}: no heads`);
    }
    for (const cell of table.querySelectorAll("tbody td")) {
      const head = heads[cell.cellIndex];
      // What one chooses and does in a row says itself what it is.
      if (!head || !cell.innerText.trim() || head.querySelector(".visually-hidden")) continue;
      const { left, right } = cell.getBoundingClientRect();
      const above = head.getBoundingClientRect();
      const aligned = seen(head) && above.left < right && left < above.right
        && above.bottom <= cell.getBoundingClientRect().top + 1;
      const label = getComputedStyle(cell, "::before").content.toLowerCase();
      const named = label.includes(head.innerText.trim().toLowerCase());
      const cards = getComputedStyle(cell.parentElement).display !== "table-row";
      const clear = cards ? named : aligned;
      if (!clear) wrong.push(`${head.innerText}: ${cell.outerHTML.slice(0, 150)}`);
    }
  }
  return wrong;
}"""


_MISPLACED = f"""(smallest) => [
  ["beside the window", ({_BESIDE})()],
  ["too small", ({_SMALL})(smallest)],
  ["without a head", ({_UNHEADED})()],
].flatMap(([what, all]) => all.map((one) => `${{what}}: ${{one}}`))"""

_PAINTED = "new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))"
"""Whatever scripts have changed is painted two frames later."""

_AS_IT_IS_IN_THE_END = f"""async () => {{
  // What stays at the foot of the window covers rows, but none at the end of the page.
  const covers = document.querySelector(".acts.is-open, .transfers.docked:not([hidden])");
  if (covers) scrollTo(0, document.documentElement.scrollHeight);
  await {_PAINTED};
  // A theme that fades in has colours of its own on the way.
  document.getAnimations().filter((one) => one instanceof CSSTransition)
    .forEach((one) => one.finish());
}}"""


def note_shifts(context: BrowserContext) -> None:
    """Have every page of the context remember what moves in it."""
    context.add_init_script(_NOTE_SHIFTS)


def moved(page: Page) -> tuple[float, list[Any]]:
    """The sum of all shifts since the page was opened (as Cumulative Layout Shift), and each."""
    found: list[Any] = page.evaluate(f"{_PAINTED}.then(() => window.shifts)")
    return sum(value for value, _nodes in found), found


def moves(page: Page, *, allowed: float = STEADY) -> list[str]:
    """What moved while the page came; empty where it stayed.

    A busy machine paints a page in pieces, now and then: what moves by itself does so again. A page
    that cannot be asked for again, as the answer to a form, is `allowed` its PIECES.
    """
    shift, nodes = moved(page)
    if shift >= allowed == STEADY:
        page.reload()
        shift, nodes = moved(page)
    return [f"moves by {shift:.4f}: {nodes}"] if shift >= allowed else []


def violations(page: Page | Frame, only: Sequence[str] = ()) -> list[str]:
    """What axe finds wrong, each with the element; of `only` these rules, or tags of rules."""
    found: list[str] | Literal[False] = page.evaluate(_RUN, list(only))
    if found is False:
        page.evaluate(_axe())
        found = page.evaluate(_RUN, list(only))
    assert found is not False
    return found


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def beside_the_window(page: Page) -> list[str]:
    """The elements because of which the page scrolls sideways; empty where it does not."""
    found: list[str] = page.evaluate(_BESIDE)
    return found


def small_targets(page: Page) -> list[str]:
    """What can be pressed and is too small for a finger, each with its size."""
    found: list[str] = page.evaluate(_SMALL, SMALLEST)
    return found


def misplaced(page: Page) -> list[str]:
    """What is wrong with where things are, and how large, at the width that is shown."""
    found: list[str] = page.evaluate(_MISPLACED, SMALLEST)
    return found


def make_ready(page: Page, width: int, theme: Theme) -> None:
    """Have whatever comes next seen at that width, in that theme."""
    if page.viewport_size != {"width": width, "height": 800}:
        page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(
        color_scheme="dark" if theme == "dark" else "light",
        forced_colors="active" if theme == "forced" else "none",
        reduced_motion="reduce",
    )


def show(page: Page, width: int, theme: Theme) -> None:
    """Have the page seen at that width, in that theme, and as it is in the end."""
    make_ready(page, width, theme)
    page.evaluate(_AS_IT_IS_IN_THE_END)


def wrong(page: Page, looks: Sequence[Look] = LOOKS) -> list[str]:
    """All that is wrong with the page as it stands: in each theme, at each width.

    What does not depend on colours or width is asked once, so that a look at a page stays cheap.
    """
    found = []
    for width, theme in looks:
        show(page, width, theme)
        is_forced = theme == "forced"
        told = violations(page, COLOURS if is_forced else ())
        for frame in page.frames[1:]:
            inner = violations(frame, COLOURS if is_forced else OF_A_PART)
            told += [f"within the frame: {one}" for one in inner]
        if not is_forced:
            told += misplaced(page)
        found += [f"{width} {theme}: {one}" for one in told]
    return found
