"""Every page in every state, as all but its owner meet it; see `test_every_page.py`.

A file of its own, so that both walks can be taken at once. `make soak` takes all of it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.pages import NOBODY, OWNER, PEOPLE, World
from tests.browser.test_every_page import EXTENT, profile, walk, world

__all__ = ["profile", "world"]


@pytest.mark.timeout(1100)
@pytest.mark.parametrize("who", [who for who in (NOBODY, *PEOPLE) if who != OWNER])
@EXTENT
def test_every_page_is_clean_and_stays(
    profile: Callable[[str], BrowserContext],
    world: World,
    record_property: Callable[[str, object], None],
    who: str,
    whole: bool,
) -> None:
    assert walk(who, profile, world, record_property, whole=whole) == ""
