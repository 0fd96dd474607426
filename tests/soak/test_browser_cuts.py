"""tus-js-client in Chromium over a network that cuts two hundred of its connections."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import RunningSite, browser, sign_in, site
from tests.integration.cutting import CuttingProxy

pytestmark = pytest.mark.soak
__all__ = ["browser", "sign_in", "site"]  # Fixtures of the browser's tests.

CUTS = 200
LARGEST = 64 * 1024 * 1024
PATIENCE = 300_000
"""Milliseconds for one file: the client waits longer and longer between tries that get nowhere."""


def test_two_hundred_cuts_lose_nothing(
    site: RunningSite, browser: Browser, sign_in: Callable[[Page, str], None], tmp_path: Path
) -> None:
    chance = random.Random(22)  # noqa: S311  the same in every run
    target = urlsplit(site.url).port or 0
    # A page's own requests are smaller than the least that is cut.
    with CuttingProxy(target, chance, cuts=0, least=16_384, most=LARGEST) as proxy:
        context = browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        sign_in(page, "alice")
        for number in range(10 * CUTS):
            if proxy.cuts >= CUTS:
                break
            proxy.allow(8)
            path = tmp_path / f"Cut {number}.bin"
            path.write_bytes(chance.randbytes(chance.randrange(20_000, LARGEST)))
            _upload(page, path)
            path.unlink()
        context.close()
    assert proxy.cuts >= CUTS


def _upload(page: Page, path: Path) -> None:
    page.goto("/files/upload/")
    page.get_by_label("Files", exact=True).set_input_files(path)
    page.get_by_role("button", name="Encrypt and store").click()
    stored = page.locator("#stored").get_by_role("link", name=path.name, exact=True)
    expect(stored).to_be_visible(timeout=PATIENCE)
    answer = page.request.get(f"{stored.get_attribute('href')}download/")
    assert answer.body() == path.read_bytes()
