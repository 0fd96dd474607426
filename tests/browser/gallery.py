"""The pictures of the documentation: each page in both themes, wide and narrow.

The walks over all pages take them while they are there, where SCREENSHOTS names a folder.
`make screenshots` does that, and then has `docs/gallery.md` written, which shows all there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.accessibility import NARROW, WIDE, WIDTHS, Theme, show

ROOT = Path(__file__).parents[2]
FOLDER = os.environ.get("SCREENSHOTS")
PICTURES = ROOT / "docs" / "images" / "pages"
PAGE = ROOT / "docs" / "gallery.md"
SHOWN: tuple[Theme, ...] = ("light", "dark")
QUALITY = 25
"""Of WebP, of 100: letters stay sharp, and a picture of a page has 10 to 20 kB."""

HIGHEST = {WIDE: 900, NARROW: 1300}
"""Of a long page its beginning is shown."""

ACROSS = {WIDE: 240, NARROW: 100}
"""How wide the gallery shows them, so that the four of a page stand side by side."""

HEAD = """# Gallery

Every page, light and dark, at 1280 and at 390 pixels, with what the tests have in it; and every
mail, as HTML and as text. `make screenshots` takes the pictures anew, in the walks that hold each
page against the rules of accessibility (`tests/browser/test_every_page.py`,
`tests/browser/test_administration.py`, `tests/browser/test_letters.py`).
"""


def take(page: Page, name: str, *, themes: Sequence[Theme] = SHOWN) -> None:
    """Take the pictures of the page where they are asked for: four, or two of one theme."""
    if not FOLDER:
        return
    for width in WIDTHS:
        for theme in themes:
            show(page, width, theme)
            _take(page, Path(FOLDER) / file_of(name, width, theme), width)


def _take(page: Page, path: Path, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if page.locator(".acts.is-open, .transfers.docked:not([hidden])").count():
        page.screenshot(path=path, type="webp", quality=QUALITY)  # At the foot of the window.
        return
    whole: int = page.evaluate("document.documentElement.scrollHeight")
    page.screenshot(
        path=path,
        type="webp",
        quality=QUALITY,
        full_page=True,
        clip={"x": 0, "y": 0, "width": width, "height": min(whole, HIGHEST[width])},
    )


def file_of(name: str, width: int, theme: Theme) -> str:
    return f"{name}-{theme}-{width}.webp"


def named() -> list[str]:
    """What pictures there are of, in the order of the alphabet."""
    ending = file_of("", WIDE, "light")
    return sorted(path.name.removesuffix(ending) for path in PICTURES.glob(f"*{ending}"))


def written() -> str:
    """The page that shows all pictures."""
    return "".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for name in named():
        title = name.replace("-", " ").capitalize()
        pictures = [
            f'<img src="images/pages/{file_of(name, width, theme)}" width="{ACROSS[width]}"'
            f' alt="{title}, {theme}, {width} pixels">'
            for width in WIDTHS
            for theme in SHOWN
            if (PICTURES / file_of(name, width, theme)).exists()
        ]
        yield f"\n## {title}\n\n" + "\n".join(pictures) + "\n"


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
