"""Asking for access and answering, as two people do it, each in their own browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import wrong
from tests.browser.conftest import RunningSite, SignIn

OWNER, ASKER = "ottilie", "askan"
NOT_THERE = "/files/00000000-0000-4000-8000-00000000a5c0/"


@pytest.fixture(scope="module")
def file(site: RunningSite) -> str:
    """The address of a file of the owner's, who may share it."""
    site.members(OWNER, ASKER)
    site.let_members_share()
    printed = site.run(
        "from accounts.models import User\n"
        "from files.vault import storing\n"
        f"owner = User.objects.get(username={OWNER!r})\n"
        "record = storing.store(owner, [b'minutes'], name='Minutes.txt')\n"
        "print('made', record.pk)\n"
    )
    return f"/files/{printed.split('made ', 1)[1].strip()}/"


@pytest.fixture
def other(unwatched: Page) -> Page:
    """A tab of another browser, for another person."""
    return unwatched


def ask(page: Page, address: str) -> None:
    response = page.goto(address)
    assert response is not None
    assert response.status == 404
    expect(page.get_by_text("Minutes.txt")).to_have_count(0)
    page.get_by_role("link", name="Ask for access").click()
    assert wrong(page) == []
    page.get_by_label("Why you need it").fill("I write the report.")
    page.get_by_role("button", name="Ask for access").click()
    expect(page.get_by_text("You have asked for access.")).to_be_visible()


def test_a_request_is_answered(page: Page, other: Page, sign_in: SignIn, file: str) -> None:
    sign_in(page, ASKER, to="")
    ask(page, NOT_THERE)
    ask(page, file)
    asked = page.locator("main li.live")
    expect(asked).to_have_count(2)
    assert asked.nth(0).inner_text().replace(file, "") == asked.nth(1).inner_text().replace(
        NOT_THERE, ""
    )
    sign_in(other, OWNER, to="/asked/")
    other.get_by_role("link", name=re.compile("^Look at it and answer")).click()
    expect(other.get_by_role("heading", level=1)).to_have_text(f"{ASKER} asks for Minutes.txt")
    expect(other.get_by_text("I write the report.")).to_be_visible()
    assert wrong(other) == []
    other.get_by_label("Until").select_option(label="30 days")
    other.get_by_role("button", name="Share", exact=True).click()
    expect(other.get_by_text(f"Shared with {ASKER}.")).to_be_visible()
    expect(other.get_by_text("Nobody asks you for access at the moment.")).to_be_visible()
    page.goto("/asked/")
    page.get_by_role("link", name="Minutes.txt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Minutes.txt")
