"""The pictures of the documentation: each page in both themes, wide and narrow.

The walks over all pages take them while they are there, where SCREENSHOTS names a folder
(`make screenshots`).
"""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.accessibility import NARROW, WIDE, Theme

FOLDER = os.environ.get("SCREENSHOTS")
SHOWN: tuple[Theme, ...] = ("light", "dark")
QUALITY = 40
"""Of WebP, of 100: letters stay sharp, and a picture of a page has 10 to 20 kB."""

HIGHEST = {WIDE: 1100, NARROW: 1600}
"""Of a long page its beginning is shown."""


def take(page: Page, name: str, width: int, theme: Theme) -> None:
    """Take the picture of the page as it is seen, where they are asked for."""
    if not FOLDER or theme not in SHOWN:
        return
    path = Path(FOLDER) / file_of(name, width, theme)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole: int = page.evaluate("document.documentElement.scrollHeight")
    height = min(whole, HIGHEST[width])
    page.screenshot(
        path=path,
        type="webp",
        quality=QUALITY,
        full_page=True,
        clip={"x": 0, "y": 0, "width": width, "height": height},
    )


def file_of(name: str, width: int, theme: Theme) -> str:
    return f"{name}-{theme}-{width}.webp"
