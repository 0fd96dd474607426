"""The pages as a person meets them: without JavaScript, by keyboard, narrow, in light and dark.

The site is one for all tests, so every test names its files for itself.
"""

import os
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn, through_the_page

NARROWEST = 320
"""Width in CSS pixels at which nothing may scroll sideways (WCAG 2.2, 1.4.10)."""

LOW_CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => channels(colour).slice(0, 3)
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const background = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if ((channels(colour)[3] ?? 1) === 1) return colour;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility() && [...element.childNodes]
      .some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
    .map((element) => {
      const [text, behind] = [getComputedStyle(element).color, background(element)].map(luminance);
      const ratio = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
      return [element.textContent.trim(), ratio];
    })
    .filter(([, ratio]) => ratio < 4.5);
}"""
"""Texts and their contrast where it is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""


def choose(page: Page, *files: Path) -> None:
    page.goto("/files/upload/")
    page.get_by_label("Files", exact=True).set_input_files(files)


def submit(page: Page) -> None:
    """Send what was chosen, where no script does so by itself."""
    page.get_by_role("button", name="Encrypt and store").click()


def upload(page: Page, *files: Path) -> None:
    """Upload as a person with a script does: the page stays and names what was stored."""
    choose(page, *files)
    expect(page.locator("#stored li")).to_have_count(len(files))
    # The newest first: other tests' files may fill the first page of any other order.
    page.goto("/files/?sort=-time")


def written(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


def file_link(page: Page, path: Path) -> str:
    """The address of the file's own page, found in the list."""
    address = page.get_by_role("link", name=path.name, exact=True).get_attribute("href")
    assert address is not None
    return address


def test_a_file_goes_in_and_comes_back_without_javascript(plain: Page, tmp_path: Path) -> None:
    report = written(tmp_path, "Quarterly Report, there and back.pdf", 700_001)
    hostile = written(tmp_path, "<b>Ünïcödé & “quotes” 100%.bin", 0)
    through_the_page(plain, "alice")

    choose(plain, report, hostile)
    submit(plain)
    expect(plain).to_have_url("/files/")
    expect(plain.get_by_role("status")).to_contain_text("2 files stored")
    # A name is text, whatever is in it.
    expect(plain.get_by_role("link", name=hostile.name, exact=True)).to_be_visible()

    plain.get_by_label("Search files by name").fill("REPORT, there")
    plain.get_by_role("button", name="Search").click()
    rows = plain.get_by_role("rowheader")
    expect(rows).to_have_text([report.name])

    plain.get_by_role("link", name=report.name, exact=True).click()
    expect(plain.get_by_role("heading", level=1)).to_have_text(report.name)
    expect(plain.get_by_role("main")).to_contain_text("700,001 bytes")
    with plain.expect_download() as download:
        plain.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == report.name
    assert download.value.path().read_bytes() == report.read_bytes()

    plain.get_by_role("link", name="Delete", exact=True).click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Delete this file?")
    plain.get_by_role("button", name="Put it into the trash").click()
    expect(plain.get_by_role("status")).to_contain_text("is in the trash")
    plain.goto("/files/?q=report%2C+there")
    expect(plain.get_by_role("heading", name="No name matches")).to_be_visible()

    plain.locator("header .menu > summary").click()
    plain.get_by_role("button", name="Sign out").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Sign in")
    plain.goto("/files/")
    expect(plain).to_have_url(re.compile("/accounts/login/"))


def test_a_refused_file_is_said_and_the_others_are_kept(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    kept = written(tmp_path, "Kept beside a refused one.txt", 10)
    # Nothing is left of this name once it is cleaned.
    refused = written(tmp_path, "\N{RIGHT-TO-LEFT OVERRIDE}", 10)
    sign_in(page, "alice", to="/files/upload/")
    page.get_by_label("Files", exact=True).set_input_files([kept, refused])
    expect(page.locator(".transfer .problem:not([hidden])")).to_contain_text(
        "rename it and try again"
    )
    expect(page.locator("#stored").get_by_role("link")).to_have_text([kept.name])


def test_a_stranger_gets_the_page_of_a_file_that_does_not_exist(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    secret = written(tmp_path, "Not for strangers.txt", 100)
    sign_in(page, "alice")
    upload(page, secret)
    address = file_link(page, secret)
    page.context.clear_cookies()

    sign_in(page, "mallory")
    assert secret.name not in page.content()
    seen = []
    for path in (address, "/files/00000000-0000-4000-8000-000000000000/"):
        response = page.goto(path)
        assert response is not None
        assert response.status == 404
        assert secret.name not in page.content()
        seen.append(page.get_by_role("main").inner_text())
    assert seen[0] == seen[1]


def test_a_search_without_a_match_shows_what_was_sought(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    there = written(tmp_path, "0 There all the time.txt", 1)
    sign_in(page, "alice")
    upload(page, there)
    page.goto("/files/?q=%3Ci%3Enothing")
    expect(page.get_by_role("main")).to_contain_text("“<i>nothing”")
    page.get_by_role("link", name="show all files").click()
    expect(page.get_by_role("link", name=there.name, exact=True)).to_be_visible()


def test_the_keyboard_is_enough(page: Page) -> None:
    page.goto("/accounts/login/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("User name or e-mail address")).to_be_focused()
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery staple")
    page.keyboard.press("Enter")
    expect(page).to_have_url("/files/")

    menu = page.locator("header .menu > summary")
    for _ in range(10):
        page.keyboard.press("Tab")
        if menu.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Account")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")


SIGNED_OUT = (
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-none/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/none/",
    "/accounts/inactive/",
)
SIGNED_IN = (
    "/files/",
    "/files/?q=none",
    "/folders/new/",
    "/shared/",
    "/recent/",
    "/trash/",
    "/files/upload/",
    "/accounts/",
    "/accounts/password/change/",
    "/accounts/email/",
    "/accounts/logout/",
)
ADMINISTRATION = (
    "/admin/",
    "/admin/accounts/user/",
    "/admin/accounts/user/add/",
    "/admin/auth/group/add/",
    "/admin/files/filerecord/",
    "/admin/files/grant/",
    "/admin/files/grant/add/",
    "/admin/audit/auditevent/",
    "/admin/password_change/",
)


def visit(page: Page, path: str) -> None:
    response = page.goto(path)
    assert response is not None
    assert response.status == 200, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_narrow_screen_and_read_well(
    page: Page, sign_in: SignIn, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": NARROWEST, "height": 640})

    def look(*paths: str) -> None:
        for path in paths:
            visit(page, path)
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST, path
            assert page.evaluate(LOW_CONTRAST) == [], path

    look(*SIGNED_OUT)
    endless = written(tmp_path, f"{scheme}-{'endless' * 30}.txt", 1)
    sign_in(page, "alice")
    upload(page, endless)
    address = file_link(page, endless)
    look(address, f"{address}delete/", *SIGNED_IN)


def test_the_administration_keeps_to_the_policy(page: Page, sign_in: SignIn) -> None:
    # `page` itself fails on whatever the policy blocks.
    visit(page, "/admin/login/")
    sign_in(page, "root")
    for path in ADMINISTRATION:
        visit(page, path)
    page.get_by_role("link", name="Back to the files").click()
    expect(page).to_have_url("/files/")


def test_names_in_other_scripts_come_back_as_they_were(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    names = ["Minutes of the board.docx", "تقرير سنوي (نهائي).pdf", "Quarterly report 2026.pdf"]
    sign_in(page, "bob")
    upload(page, *(written(tmp_path, name, 48_211 * len(name)) for name in names))
    for name in names:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    page.get_by_role("link", name=names[1], exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(names[1])
