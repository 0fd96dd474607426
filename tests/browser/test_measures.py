"""How much a person does to share and to upload: counted, and told at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import RunningSite, SignIn
from tests.browser.measuring import PAGE, Actions, Weight, table
from tests.browser.test_pages import file_link, upload, written

Record = Callable[[str, object], None]


def test_sharing_takes_three_actions_at_most(
    page: Page, site: RunningSite, sign_in: SignIn, tmp_path: Path, record_property: Record
) -> None:
    site.members("mara")
    site.let_members_share()
    path = written(tmp_path, "Shared in three actions.txt", 10)
    sign_in(page, "mara")
    upload(page, path)
    page.goto(file_link(page, path))
    actions = Actions(page)
    actions.press(page.get_by_role("link", name="Share", exact=True))
    expect(page.get_by_label("Share with", exact=True)).to_be_focused()
    actions.enter("bob")
    expect(page.locator(".chips .chip-name")).to_have_text(["bob"])
    actions.press(page.get_by_role("button", name="Share", exact=True))
    expect(page.get_by_text("Shared with bob.")).to_be_visible()
    record_property("actions to share", actions.count)
    assert actions.count <= 3


def test_uploading_takes_one_action(
    page: Page, site: RunningSite, sign_in: SignIn, record_property: Record
) -> None:
    site.members("mona")
    sign_in(page, "mona")
    actions = Actions(page)
    actions.drop("Dropped.txt", "Dropped as well.txt")
    expect(page.get_by_role("rowheader")).to_have_text(["Dropped as well.txt", "Dropped.txt"])
    record_property("actions to upload", actions.count)
    assert actions.count <= 1


def test_what_was_measured_is_told() -> None:
    weight = Weight(requests=9, kilobytes=41.5, paint=120, shift=0.0)
    lines = list(table([("actions to share", 3), (f"{PAGE}files", weight.as_property())]))
    assert [line.split() for line in lines] == [
        ["page", "requests", "kB", "paint", "ms", "shift"],
        ["files", "9", "41.5", "120", "0.0000"],
        ["actions", "to", "share:", "3"],
    ]
    assert list(table([])) == []
