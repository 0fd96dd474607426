"""Links on both sides in Chromium: made, opened without scripts on a phone, downloaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import wrong
from tests.browser.conftest import RunningSite, SignIn
from tests.browser.test_pages import upload, written


@pytest.fixture(scope="module")
def lena(site: RunningSite) -> str:
    """Somebody who may make links."""
    site.members("lena")
    site.run(
        "from django.contrib.auth.models import Permission\n"
        "from accounts.models import User\n"
        "lena = User.objects.get(username='lena')\n"
        "lena.user_permissions.add(Permission.objects.get(codename='add_link'))\n"
    )
    return "lena"


def test_made_opened_downloaded_and_ended(
    page: Page, plain: Page, sign_in: SignIn, lena: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "For people outside.txt", 5000)
    sign_in(page, lena)
    upload(page, path)
    page.get_by_role("link", name=path.name, exact=True).first.click()
    page.get_by_role("link", name="Links", exact=True).click()
    assert not wrong(page)
    page.get_by_label("Password").fill("open sesame")
    page.get_by_label("Downloads at most").fill("1")
    page.get_by_role("button", name="Make the link").click()
    address = page.locator("#link").inner_text()
    at = re.sub(r"^https?://[^/]+", "", address)

    # Without scripts, on a phone, without an account.
    plain.set_viewport_size({"width": 360, "height": 640})
    plain.goto(at)
    expect(plain.get_by_text(path.name)).to_have_count(0)
    plain.get_by_label("Password").fill("open sesame")
    plain.get_by_role("button", name="Open").click()
    expect(plain.get_by_role("heading", name=path.name)).to_be_visible()
    expect(plain.get_by_text("shares this with you until")).to_contain_text("lena")
    expect(plain.get_by_role("link", name="Sign in")).to_have_count(0)
    assert plain.evaluate("document.documentElement.scrollWidth") <= 360
    with plain.expect_download() as begun:
        plain.get_by_role("link", name="Download").click()
    assert Path(begun.value.path()).read_bytes() == path.read_bytes()

    # With scripts its pages are as all others are; its maker sees what became of it.
    page.get_by_role("link", name="I have copied it").click()
    row = page.get_by_role("row").filter(has_text="used up")
    for _ in range(20):  # The last byte is here a moment before it is counted there.
        if row.count():
            break
        page.reload()
    expect(row).to_contain_text("1 of 1")
    page.get_by_label("Note").fill("Open")
    page.get_by_role("button", name="Make the link").click()
    at = re.sub(r"^https?://[^/]+", "", page.locator("#link").inner_text())
    page.goto(at)
    assert not wrong(page)
