"""The whole way with the keyboard alone, from signing in to signing out.

Nothing is clicked and nothing is focused by the test: it goes on with Tab until it is where a
person would be, and presses what a person would press.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, RunningSite
from tests.browser.test_pages import written

NAMED = """() => {
  const one = document.activeElement;
  const named = one.getAttribute("aria-labelledby");
  const text = one.getAttribute("aria-label")
    ?? (named && document.getElementById(named)?.textContent)
    ?? one.labels?.[0]?.textContent ?? one.textContent;
  return text.trim().replace(/\\s+/g, " ");
}"""
IS = "(kind) => document.activeElement.matches(kind)"
SEEN = """() => {
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
  return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
}"""
"""Whether one sees where the keyboard is (WCAG 2.2, 2.4.7)."""


def go_to(page: Page, name: str, *, backwards: bool = False, kind: str = "*") -> None:
    """Go on with Tab until what has that name, and is of that kind, has the focus."""
    passed = []
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        passed.append(page.evaluate(NAMED))
        if passed[-1] == name and page.evaluate(IS, kind):
            page.wait_for_function(SEEN)  # What is drawn around it may come in a moment.
            return
    raise AssertionError(f"{name} is out of reach; there were {passed}")


def press(
    page: Page, name: str, key: str = "Enter", *, backwards: bool = False, kind: str = "*"
) -> None:
    go_to(page, name, backwards=backwards, kind=kind)
    page.keyboard.press(key)


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def test_the_whole_way(page: Page, site: RunningSite, tmp_path: Path) -> None:
    site.members("karla")
    site.let_members_share()
    report = written(tmp_path, "Report by keyboard.txt", 2_000)
    keys = page.keyboard
    # From here on no dialogue of the system's opens instead, however busy the machine is.
    page.on("filechooser", lambda _: None)

    page.goto("/accounts/login/")
    press(page, "Skip to the content")
    go_to(page, "User name or e-mail address")
    keys.type("karla")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    heading(page, "Files")

    # Upload: the field for files is reached, and the browser asks which.
    press(page, "Upload")
    heading(page, "Upload files")
    go_to(page, "Files", kind="input")
    with page.expect_file_chooser() as chooser:
        keys.press("Space")
    chooser.value.set_files(report)
    expect(page.locator("#stored li")).to_have_count(1)

    # Find it.
    press(page, "Files", backwards=True, kind="a")
    heading(page, "Files")
    go_to(page, "Search files by name")
    keys.type("by keyb")
    keys.press("Enter")
    heading(page, "Search")
    press(page, report.name)
    heading(page, report.name)

    # Share it.
    press(page, "Share")
    expect(page.get_by_label("Share with", exact=True)).to_be_focused()
    keys.type("newc")
    expect(page.locator("[role=option]")).to_have_count(1)
    keys.press("Enter")
    expect(page.locator(".chips .chip-name")).to_have_count(1)
    keys.press("Enter")
    expect(page.get_by_text("Shared with newcomer.")).to_be_visible()
    press(page, "Back to the file")
    heading(page, report.name)

    # View it, and come back with Escape.
    press(page, "View")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-state", "shown")
    keys.press("Escape")
    heading(page, report.name)

    # Download it.
    go_to(page, "Download 2.0 KB")
    with page.expect_download() as download:
        keys.press("Enter")
    assert download.value.path().read_bytes() == report.read_bytes()

    # Delete it in the list, and take that back.
    press(page, "Files", backwards=True, kind="a")
    heading(page, "Files")
    press(page, f"Choose {report.name}", "Space")
    press(page, "Delete")
    expect(page.get_by_role("status")).to_contain_text("trash")
    expect(page.get_by_role("rowheader", name=report.name)).to_have_count(0)
    press(page, "Undo")
    expect(page.get_by_role("rowheader", name=report.name)).to_have_count(1)

    # A menu opens, closes with Escape where one was, and opens again.
    press(page, "Account of karla", backwards=True)
    menu = page.locator("header .menu")
    expect(menu).to_have_attribute("open", "")
    go_to(page, "Account")
    keys.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()
    keys.press("Enter")
    press(page, "Sign out")
    heading(page, "Sign in")
