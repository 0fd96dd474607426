"""Filters of lists, with and without a script, and menus, which Escape closes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import accessibility
from tests.browser.conftest import PASSWORD, RunningSite, SignIn
from tests.browser.test_folders import make_folder, open_
from tests.browser.test_pages import written

FOLDER = "Filtered"


@pytest.fixture(scope="module")
def somebody(site: RunningSite) -> str:
    """A person of these tests' own, who may do all that members may, and administer."""
    site.run(
        "from accounts.members import ensure_members_group\n"
        "from accounts.models import User\n"
        f"user = User.objects.create_superuser('filterer', 'filterer@example.org', {PASSWORD!r})\n"
        "user.groups.add(ensure_members_group())\n"
    )
    return "filterer"


def filled(page: Page, tmp_path: Path) -> None:
    page.goto("/files/")
    if page.get_by_role("link", name=FOLDER).count() == 0:
        make_folder(page, FOLDER)
        open_(page, FOLDER)
        page.get_by_role("link", name="Upload files").click()
        here = [written(tmp_path, name, 20) for name in ("one.pdf", "two.txt", "three.pdf")]
        page.get_by_label("Files", exact=True).set_input_files(here)
        expect(page.locator("#stored li")).to_have_count(3)
        page.goto("/files/")
    open_(page, FOLDER)


def rows(page: Page) -> list[str]:
    return page.locator("tbody th.name a").all_inner_texts()


def test_a_list_is_filtered_and_keeps_it_after_an_act(
    page: Page, sign_in: SignIn, somebody: str, tmp_path: Path
) -> None:
    sign_in(page, somebody, to="")
    filled(page, tmp_path)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Kind").select_option("PDF")
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("main")).to_contain_text("Shown here: PDF.")
    assert rows(page) == ["one.pdf", "three.pdf"]
    page.locator("td.pick input").first.check()
    acts = page.get_by_role("group", name="With what is chosen")
    acts.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert rows(page) == ["three.pdf"]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Take the filter off").click()
    assert sorted(rows(page)) == ["one.pdf", "three.pdf", "two.txt"]


def test_a_filter_works_without_a_script(
    plain: Page, page: Page, sign_in: SignIn, somebody: str, tmp_path: Path
) -> None:
    sign_in(page, somebody, to="")
    filled(page, tmp_path)
    sign_in(plain, somebody, to=page.url)
    plain.get_by_text("Filter", exact=True).click()
    plain.get_by_label("Locked files only").check()
    plain.get_by_role("button", name="Show these").click()
    expect(plain.get_by_role("main")).to_contain_text("Nothing here is like that")
    plain.get_by_role("main").get_by_role("link", name="Take the filter off").last.click()
    expect(plain.locator("tbody tr")).to_have_count(3)


@pytest.mark.parametrize(
    ("address", "menu"),
    [
        ("/files/", "header details.menu"),
        ("/files/", "main .filter details.menu"),
        ("/admin/files/filerecord/", "details.filter"),
    ],
)
def test_escape_closes_a_menu_and_brings_the_focus_back(
    page: Page, sign_in: SignIn, somebody: str, tmp_path: Path, address: str, menu: str
) -> None:
    sign_in(page, somebody, to="")
    filled(page, tmp_path)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(address)
    there = page.locator(menu).first
    opener = there.locator("summary")
    opener.focus()
    page.keyboard.press("Enter")
    expect(there).to_have_attribute("open", "")
    page.keyboard.press("Tab")
    expect(opener).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(there).not_to_have_attribute("open", "")
    expect(opener).to_be_focused()
    # Wherever the focus went meanwhile.
    page.keyboard.press("Enter")
    expect(there).to_have_attribute("open", "")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    page.mouse.click(600, 790)
    expect(there).not_to_have_attribute("open", "")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_open_filter_is_accessible_and_fits(
    page: Page, sign_in: SignIn, somebody: str, tmp_path: Path, width: int
) -> None:
    sign_in(page, somebody, to="")
    filled(page, tmp_path)
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_text("Filter", exact=True).click()
    expect(page.get_by_label("Kind")).to_be_visible()
    assert accessibility.violations(page) == []
    assert accessibility.beside_the_window(page) == []
