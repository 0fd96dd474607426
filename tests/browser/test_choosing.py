"""Choosing in a list and acting on all of it: by pointer, by keyboard, and without a script."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import RunningSite, SignIn
from tests.browser.test_folders import heading, make_folder, open_
from tests.browser.test_pages import written


def filled(page: Page, folder: str, files: int, tmp_path: Path) -> None:
    """A folder of that name with so many files, opened."""
    page.goto("/files/")
    make_folder(page, folder)
    for number in range(files):
        written(tmp_path, f"{folder} {number}.txt", 100 + number)
    open_(page, folder)
    page.get_by_role("link", name="Upload files").click()
    here = [tmp_path / f"{folder} {number}.txt" for number in range(files)]
    page.get_by_label("Files", exact=True).set_input_files(here)
    expect(page.locator("#stored li")).to_have_count(files)
    page.goto("/files/")
    open_(page, folder)


def test_several_are_deleted_and_brought_back_by_keyboard_alone(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in(page, "alice", to="")
    filled(page, "Chosen by keyboard", 5, tmp_path)
    boxes = page.locator("td.pick input")
    acts = page.get_by_role("group", name="With what is chosen")
    expect(acts.get_by_role("button", name="Delete")).to_be_disabled()
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    expect(acts.locator("[data-count]")).to_have_text("3 chosen")
    page.keyboard.press("Escape")
    expect(acts.locator("[data-count]")).to_have_text("")
    page.keyboard.press("Control+a")
    expect(acts.locator("[data-count]")).to_have_text("5 chosen")
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    delete = acts.get_by_role("button", name="Delete")
    delete.focus()
    page.keyboard.press("Enter")
    heading(page, "Chosen by keyboard")
    expect(boxes).to_have_count(1)
    undo = page.get_by_role("button", name="Undo")
    undo.focus()
    page.keyboard.press("Enter")
    expect(boxes).to_have_count(5)
    expect(page.get_by_role("main")).to_contain_text("4 things are back where they were.")


def test_a_range_and_all_are_chosen_with_the_pointer(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in(page, "alice", to="")
    filled(page, "Chosen by pointer", 4, tmp_path)
    boxes = page.locator("td.pick input")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    acts = page.get_by_role("group", name="With what is chosen")
    expect(acts.locator("[data-count]")).to_have_text("3 chosen")
    page.get_by_label("Choose all on this page").check()
    expect(acts.locator("[data-count]")).to_have_text("4 chosen")
    # A click beside the name is a click on the box.
    page.locator("tbody tr").nth(3).locator("td.size").click()
    expect(acts.locator("[data-count]")).to_have_text("3 chosen")
    small = "els => els.filter(e => { const r = e.getBoundingClientRect();" + (
        "return r.width < 24 || r.height < 24 }).length"
    )
    assert page.locator("td.pick label, th.pick label").evaluate_all(small) == 0
    with page.expect_download() as download:
        acts.get_by_role("button", name="Download as ZIP").click()
    assert download.value.suggested_filename == "securestore.zip"


def test_several_are_moved_without_a_script_and_the_search_keeps_its_place(
    plain: Page, site: RunningSite, sign_in: SignIn
) -> None:
    site.run(
        "from accounts.models import User\n"
        "from files.tree import placing\n"
        "from files.vault import storing\n"
        "alice = User.objects.get(username='alice')\n"
        "placing.add_folder(placing.root_of(alice), 'Unscripted target', added_by=alice)\n"
        "for n in range(3):\n"
        "    storing.store(alice, [b'x'], name=f'unscripted {n}.txt')\n"
    )
    sign_in(plain, "alice", to="/files/?q=unscripted+txt")
    for number in (0, 2):
        plain.get_by_label(f"Choose unscripted {number}.txt").check()
    plain.get_by_role("button", name="Move").click()
    heading(plain, "Move 2 things")
    open_(plain, "Unscripted target")
    plain.get_by_role("button", name="Move them here").click()
    expect(plain.get_by_role("searchbox")).to_have_value("unscripted txt")
    expect(plain.get_by_role("main")).to_contain_text("2 things were moved to “Unscripted target”.")
    plain.get_by_role("button", name="Undo").click()
    expect(plain.get_by_role("main")).to_contain_text("2 things are back where they were.")
    expect(plain.get_by_role("searchbox")).to_have_value("unscripted txt")
