"""Walking a tree: make folders, upload into them, move, share, delete and bring back.

Most of it without a script: the pages are forms and links.
"""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import RunningSite, SignIn
from tests.browser.test_pages import LOW_CONTRAST, NARROWEST, upload, written

UNNAMED = """() => [...document.querySelectorAll("main :is(a, button, input:not([type=hidden]))")]
  .filter((one) => one.checkVisibility() && !one.textContent.trim() && !one.labels?.length
    && !one.getAttribute("aria-label") && !one.querySelector("img[alt]"))
  .map((one) => one.outerHTML)"""
"""What can be operated and has no name (WCAG 2.2, 4.1.2)."""


def make_folder(page: Page, name: str) -> None:
    page.get_by_role("link", name="New folder").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the folder").click()


def open_(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("link", name=name, exact=True).click()


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def let_members_share(site: RunningSite) -> None:
    site.run(
        "from django.contrib.auth.models import Group, Permission\n"
        "from accounts.members import ensure_members_group\n"
        "one = Permission.objects.get(codename='share_filerecord')\n"
        "ensure_members_group().permissions.add(one)\n"
    )


def test_a_tree_is_walked_from_end_to_end(
    page: Page, sign_in: SignIn, site: RunningSite, tmp_path: Path
) -> None:
    let_members_share(site)
    page.set_viewport_size({"width": 1100, "height": 640})
    report = written(tmp_path, "Report of the walk.txt", 2_000)
    sign_in(page, "alice")
    make_folder(page, "Cases of the walk")
    expect(page.get_by_role("status")).to_contain_text("was made")
    open_(page, "Cases of the walk")
    heading(page, "Cases of the walk")
    expect(page.get_by_role("heading", name="Nothing in this folder yet")).to_be_visible()
    for name in ("Twelve", "Thirteen"):
        make_folder(page, name)
    # The same name once more is refused, in words, and what was typed stays.
    page.get_by_role("link", name="New folder").click()
    page.get_by_label("Name", exact=True).fill("TWELVE")
    page.get_by_role("button", name="Make the folder").click()
    expect(page.get_by_role("main")).to_contain_text("“TWELVE” exists in that folder already")
    expect(page.get_by_label("Name", exact=True)).to_have_value("TWELVE")
    page.get_by_role("link", name="Back", exact=True).click()

    upload(page, report)
    open_(page, report.name)
    page.get_by_role("link", name="Move", exact=True).click()
    open_(page, "Cases of the walk")
    open_(page, "Twelve")
    page.get_by_role("button", name="Move it here").click()
    heading(page, "Twelve")
    open_(page, report.name)
    expect(page.get_by_role("navigation", name="Where it is")).to_contain_text("Twelve")
    page.get_by_role("link", name="Rename", exact=True).click()
    page.get_by_label("New name").fill("Report, renamed.txt")
    page.get_by_role("button", name="Rename").click()
    heading(page, "Report, renamed.txt")

    page.goto("/files/")
    open_(page, "Cases of the walk")
    page.get_by_label("Search this folder by name").fill("renamed")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("rowheader")).to_have_text(["Report, renamed.txt"])
    page.get_by_role("link", name="Cases of the walk").first.click()
    page.get_by_role("link", name="Download all as ZIP").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "Cases of the walk.zip"

    page.goto("/files/")
    open_(page, "Cases of the walk")
    page.get_by_role("link", name="Share this folder").click()
    page.get_by_label("Share with", exact=True).fill("bob")
    page.get_by_label("They can", exact=True).select_option("add")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("Shared with bob")

    page.context.clear_cookies()
    sign_in(page, "bob")
    expect(page.get_by_role("heading", name="Shared with you lately")).to_be_visible()
    open_(page, "Cases of the walk")
    expect(page.get_by_role("main")).to_contain_text("You may download and add")
    open_(page, "Twelve")
    expect(page.get_by_role("main")).to_contain_text("through the folder “Cases of the walk”")
    make_folder(page, "Of Bob")
    open_(page, "Of Bob")
    heading(page, "Of Bob")

    page.context.clear_cookies()
    sign_in(page, "alice")
    open_(page, "Cases of the walk")
    page.get_by_role("link", name="Delete this folder").click()
    page.get_by_role("button", name="Put it into the trash").click()
    page.get_by_role("link", name="trash", exact=True).click()
    heading(page, "Trash")
    row = page.get_by_role("row", name=re.compile("Cases of the walk"))
    row.get_by_role("link", name=re.compile("Bring back")).click()
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_role("status")).to_contain_text("is back")
    open_(page, "Twelve")
    expect(page.get_by_role("link", name="Report, renamed.txt", exact=True)).to_be_visible()
    page.reload()  # Without the message.


def test_files_go_into_the_folder_that_one_comes_from(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in(page, "bob")
    make_folder(page, "Inbox of the test")
    open_(page, "Inbox of the test")
    for content, conflict in ((1_000, "rename"), (2_000, "rename"), (3_000, "version")):
        page.get_by_role("link", name="Upload files").click()
        heading(page, "Upload files into Inbox of the test")
        page.get_by_label("Where a name is taken").select_option(conflict)
        file = written(tmp_path, "Same name.txt", content)
        page.get_by_label("Files", exact=True).set_input_files(file)
        expect(page.locator("#stored li")).to_have_count(1)
        page.get_by_role("link", name="Back to the files").click()
        heading(page, "Inbox of the test")
    rows = page.get_by_role("rowheader")
    expect(rows).to_have_text(["Same name (2).txt", "Same name.txt"])
    expect(page.get_by_role("row", name=re.compile(r"Same name\.txt"))).to_contain_text("2.9")


def test_pages_of_folders_fit_a_narrow_screen_and_name_what_they_offer(
    page: Page, sign_in: SignIn
) -> None:
    page.set_viewport_size({"width": NARROWEST, "height": 640})
    sign_in(page, "bob")
    endless = f"Narrow {'endless' * 20}"
    make_folder(page, endless)
    open_(page, endless)
    address = page.url
    make_folder(page, "Inside")
    for path in (
        *("", "new/", "rename/", "move/", "delete/", "zip/"),
        *("?q=nothing", "?sort=-size"),
    ):
        page.goto(f"{address}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST, page.url
        assert page.evaluate(LOW_CONTRAST) == [], page.url
        assert page.evaluate(UNNAMED) == [], page.url
