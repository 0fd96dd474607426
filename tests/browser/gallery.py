"""The pictures of the documentation: each page in both themes, wide and narrow.

The walks over all pages take them while they are there, where SCREENSHOTS names a folder
(`make screenshots`). `docs/gallery.md` shows all of them, in the order of the tables of pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.accessibility import NARROW, WIDE, WIDTHS, Theme

FOLDER = os.environ.get("SCREENSHOTS")
PAGE = Path(__file__).parents[2] / "docs" / "gallery.md"
SHOWN: tuple[Theme, ...] = ("light", "dark")
QUALITY = 55
"""Of WebP, of 100: letters stay sharp, and a picture of a page has 20 kB."""

ACROSS = {WIDE: 240, NARROW: 100}
"""How wide the gallery shows them, so that the four of a page stand side by side."""

HEAD = """# Gallery

Every page, light and dark, at 1280 and at 390 pixels, with what the tests have in it. `make
screenshots` takes the pictures anew, in the walks that hold each page against the rules of
accessibility (`tests/browser/test_every_page.py`, `test_administration.py`).
"""


def take(page: Page, name: str, width: int, theme: Theme) -> None:
    """Take the picture of the page as it is seen, where they are asked for."""
    if not FOLDER or theme not in SHOWN:
        return
    path = Path(FOLDER) / file_of(name, width, theme)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, type="webp", quality=QUALITY, full_page=True)


def file_of(name: str, width: int, theme: Theme) -> str:
    return f"{name}-{theme}-{width}.webp"


def written(names: Iterable[str], folder: str = "images/pages") -> str:
    """The page that shows the pictures of these names."""
    return "".join([HEAD, *_sections(names, folder)])


def _sections(names: Iterable[str], folder: str) -> Iterator[str]:
    for name in names:
        title = re.sub("-", " ", name).capitalize()
        pictures = [
            f'<img src="{folder}/{file_of(name, width, theme)}" width="{ACROSS[width]}"'
            f' alt="{title}, {theme}, {width} pixels">'
            for width in WIDTHS
            for theme in SHOWN
        ]
        yield f"\n## {title}\n\n" + "\n".join(pictures) + "\n"
