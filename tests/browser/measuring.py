"""What a page costs: measured, told at the end of the run, and seldom asserted.

A test gives what it measured to `record_property`; `conftest.py` prints it when all tests are over.
Times are those of the machine that runs the tests, so none of them makes a test fail.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from playwright.sync_api import BrowserContext, Locator, Page

from tests.browser.accessibility import moved

PAGE = "page "
"""What the properties begin with that are a page's weight."""

_NOTE_PAINT = """
window.painted = 0;
new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) window.painted = startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
"""

_WEIGH = """() => {
  const all = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
  const ours = all.filter(({ name }) => name.startsWith(location.origin));
  return [ours.length, ours.reduce((sum, one) => sum + one.encodedBodySize, 0), window.painted];
}"""


@dataclass(frozen=True)
class Weight:
    """A page as its first visitor gets it: nothing of it is in the browser yet.

    `kilobytes` are those that travel, compressed, of all requests. `paint` is when the largest
    thing was painted, in milliseconds; `shift` the sum of all shifts of the layout.
    """

    requests: int
    kilobytes: float
    paint: int
    shift: float

    def as_property(self) -> str:
        return json.dumps(asdict(self))


def note_paint(context: BrowserContext) -> None:
    """Have every page of the context remember when its largest thing was painted."""
    context.add_init_script(_NOTE_PAINT)


def weigh(page: Page) -> Weight:
    """Weigh a page that was just opened, whether or not the browser had parts of it."""
    shift, _ = moved(page)
    requests, size, paint = page.evaluate(_WEIGH)
    return Weight(requests, round(size / 1000, 1), round(paint), round(shift, 4))


class Actions:
    """Counts what a person does: a press, a drop, something typed and entered."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def press(self, what: Locator) -> None:
        self.count += 1
        what.click()

    def enter(self, text: str) -> None:
        self.count += 1
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def drop(self, *names: str) -> None:
        self.count += 1
        carried = self.page.evaluate_handle(
            """(names) => {
              const carried = new DataTransfer();
              for (const name of names) carried.items.add(new File([name], name));
              return carried;
            }""",
            list(names),
        )
        for kind in ("dragover", "drop"):
            self.page.dispatch_event("main", kind, {"dataTransfer": carried})


def table(properties: Iterable[tuple[str, object]]) -> Iterator[str]:
    """The lines of what was measured: pages first, then all else."""
    pages: list[tuple[str, Weight]] = []
    others: list[str] = []
    for name, value in properties:
        if name.startswith(PAGE):
            pages.append((name.removeprefix(PAGE), Weight(**json.loads(str(value)))))
        else:
            others.append(f"{name}: {value}")
    if pages:
        yield f"{'page':<44}{'requests':>9}{'kB':>9}{'paint ms':>10}{'shift':>8}"
    for name, one in sorted(pages, key=lambda page: page[0]):
        yield f"{name:<44}{one.requests:>9}{one.kilobytes:>9.1f}{one.paint:>10}{one.shift:>8.4f}"
    yield from sorted(others)
