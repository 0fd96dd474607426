"""Sharing as a person does it: from the page of a file, with several, by keyboard, narrow."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import wrong
from tests.browser.conftest import RunningSite, SignIn
from tests.browser.test_pages import LOW_CONTRAST, NARROWEST


@pytest.fixture(scope="module")
def team(site: RunningSite) -> str:
    """A group with two people in it; members may share."""
    site.run(
        "from accounts import members\n"
        "from accounts.models import User\n"
        "from django.contrib.auth.models import Group\n"
        "members.let_share(on=True)\n"
        "team = Group.objects.create(name='Quarterly team')\n"
        "team.user_set.set(User.objects.filter(username__in=['bob', 'newcomer']))\n"
    )
    return "Quarterly team"


def chips(page: Page) -> Locator:
    return page.locator(".chips .chip-name")


def the_field(page: Page) -> Locator:
    return page.get_by_label("Share with", exact=True)


@pytest.fixture
def shared_file(page: Page, site: RunningSite, sign_in: SignIn, tmp_path: Path, team: str) -> str:
    """The address of a file of Alice's, who has signed in."""
    name = f"To be shared {tmp_path.name}.txt"
    printed = site.run(
        "from accounts.models import User\nfrom files.vault import storing\n"
        "alice = User.objects.get(username='alice')\n"
        f"print('made', storing.store(alice, [b'x' * 10], name={name!r}).pk)\n"
    )
    sign_in(page, "alice", to="")
    return f"/files/{printed.split('made ', 1)[1].strip()}/"


def test_sharing_takes_three_actions(page: Page, shared_file: str, team: str) -> None:
    page.goto(shared_file)
    page.get_by_role("link", name="Share", exact=True).click()  # 1
    expect(the_field(page)).to_be_focused()
    page.keyboard.type("bob")
    page.keyboard.press("Enter")  # 2
    expect(chips(page)).to_have_text(["bob"])
    page.get_by_role("button", name="Share", exact=True).click()  # 3
    expect(page.get_by_text("Shared with bob.")).to_be_visible()
    expect(page.get_by_role("heading", name="Tell them where it is")).to_be_visible()
    expect(page.locator("[data-address]")).to_have_text(re.compile(f"{shared_file}$"))
    expect(page.get_by_role("list", name="Who can read it now")).to_contain_text("bob")


def test_it_is_stopped_from_the_page_of_the_file(page: Page, shared_file: str, team: str) -> None:
    page.goto(f"{shared_file}grants/")
    the_field(page).fill(f"bob; {team}")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text(re.compile("^Shared with bob, group"))).to_be_visible()
    page.goto(shared_file)
    readers = page.get_by_role("list", name="Who can read it now")
    expect(readers).to_contain_text("2 people")
    page.get_by_role("button", name="Stop sharing with bob", exact=True).click()
    expect(page.get_by_text("It is no longer shared with bob.")).to_be_visible()
    expect(page.get_by_role("heading", name="bob can still read it")).to_be_visible()
    page.goto(shared_file)
    ended = page.get_by_text("Ended access (1)")
    expect(page.get_by_role("list", name="Access that has ended")).to_be_hidden()
    ended.click()
    expect(page.get_by_role("list", name="Access that has ended")).to_contain_text("bob")


def test_chips_by_keyboard(page: Page, shared_file: str, team: str) -> None:
    page.goto(f"{shared_file}grants/")
    field = the_field(page)
    for name in ("newcomer", "mallory", "bob"):
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(field).to_have_value("")
    expect(chips(page)).to_have_text(["newcomer", "mallory", "bob"])
    page.keyboard.press("Backspace")
    expect(chips(page)).to_have_text(["newcomer", "mallory"])
    remove = page.get_by_role("button", name="Remove newcomer")
    size = remove.bounding_box()
    assert size is not None
    assert min(size["width"], size["height"]) >= 24
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(remove).to_be_focused()
    page.keyboard.press("Enter")
    expect(chips(page)).to_have_text(["mallory"])
    expect(field).to_be_focused()
    page.keyboard.press("Enter")  # Nothing is typed: the form is sent.
    expect(page.get_by_text("Shared with mallory.")).to_be_visible()


@pytest.fixture
def suggesting(page: Page, shared_file: str, team: str) -> Locator:
    """The field of a page that shares, where names are suggested."""
    page.goto(f"{shared_file}grants/")
    if page.request.get("/people/suggest/?q=bo").status == 404:
        pytest.skip("nobody is suggested yet")
    return the_field(page)


def test_names_are_suggested_after_two_letters(suggesting: Locator, page: Page, team: str) -> None:
    suggesting.press_sequentially("q")
    expect(suggesting).to_have_attribute("aria-expanded", "false")
    suggesting.press_sequentially("u")
    expect(suggesting).to_have_attribute("aria-expanded", "true")
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_count(1)
    expect(options).to_have_text(re.compile(f"group\\s+{team}\\s+2 people"))
    expect(options).to_have_attribute("aria-selected", "true")
    active = suggesting.get_attribute("aria-activedescendant")
    assert active == options.get_attribute("id")
    expect(page.locator("[data-said]")).to_have_text("Choose with the arrow keys. Found: 1")
    page.keyboard.press("Escape")
    expect(suggesting).to_have_attribute("aria-expanded", "false")
    expect(suggesting).to_have_value("qu")
    suggesting.press_sequentially("a")
    expect(options).to_have_count(1)
    page.keyboard.press("Enter")
    expect(chips(page)).to_have_text([team])
    expect(page.locator(".chips li")).to_contain_text("2 people")
    # Who was chosen is suggested no more.
    suggesting.press_sequentially("qu")
    expect(page.locator("[data-said]")).to_have_text("Nobody is called so.")
    suggesting.fill("")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Shared with group “{team}”.")).to_be_visible()


def test_suggestions_are_walked_with_the_arrow_keys(
    suggesting: Locator, page: Page, site: RunningSite
) -> None:
    site.run(
        "from accounts.models import User\n"
        "for name in ('walker1', 'walker2', 'walker3'):\n"
        "    User.objects.get_or_create(username=name, defaults={'last_name': 'Walker'})\n"
    )
    suggesting.press_sequentially("walk")
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_count(3)
    for key, chosen in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowDown", 0), ("ArrowUp", 2)):
        page.keyboard.press(key)
        expect(options.nth(chosen)).to_have_attribute("aria-selected", "true")
        expect(suggesting).to_have_attribute(
            "aria-activedescendant", options.nth(chosen).get_attribute("id") or ""
        )
        expect(suggesting).to_be_focused()
    page.keyboard.press("Enter")
    suggesting.press_sequentially("walk")
    expect(options).to_have_count(2)
    options.first.click()
    expect(chips(page)).to_have_count(2)
    # All have the same name: it is the user name that is sent.
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text(re.compile("^Shared with Walker .walker"))).to_be_visible()


def test_what_cannot_be_found_is_named_and_stays(page: Page, shared_file: str) -> None:
    page.goto(f"{shared_file}grants/")
    the_field(page).fill("bob, nobody at all")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text("There is no person and no group “nobody at all”")).to_be_visible()
    expect(chips(page)).to_have_text(["bob, nobody at all"])


def test_a_day_is_asked_for_once_it_is_to_be_one(page: Page, shared_file: str) -> None:
    page.goto(f"{shared_file}grants/")
    day = page.get_by_label("Last day")
    expect(day).to_be_hidden()
    page.get_by_label("Until", exact=True).select_option("on a date…")
    expect(day).to_be_focused()
    day.fill("2099-05-01")
    the_field(page).fill("bob")
    page.get_by_role("button", name="Share", exact=True).click()
    readers = page.get_by_role("list", name="Who can read it now")
    expect(readers).to_contain_text("until 2 May 2099")


def test_after_sharing_a_locked_file_one_is_told_how_to_hand_over_its_key(
    page: Page, shared_file: str, site: RunningSite
) -> None:
    site.run(
        "from files.models import FileRecord\n"
        f"FileRecord.objects.filter(pk={shared_file.split('/')[2]!r}).update(custody='held')\n"
    )
    page.goto(f"{shared_file}grants/")
    the_field(page).fill("bob")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("heading", name="Now hand over its key")).to_be_visible()
    expect(page.locator("[data-hand-over]")).to_contain_text("by another way than the address")


def test_without_javascript(
    plain: Page, sign_in: SignIn, page: Page, shared_file: str, team: str
) -> None:
    sign_in(plain, "alice", to=shared_file)
    plain.get_by_role("link", name="Share", exact=True).click()
    expect(plain.get_by_text("One a line, or with commas between them.")).to_be_visible()
    plain.get_by_label("Share with", exact=True).fill(f"bob, mallory\n{team}")
    plain.get_by_label("Until", exact=True).select_option("on a date…")
    plain.get_by_label("Last day").fill("2099-05-01")
    plain.get_by_role("button", name="Share", exact=True).click()
    expect(plain.get_by_text(re.compile("^Shared with bob, mallory, group"))).to_be_visible()


UNFOLD = "() => document.querySelectorAll('main details').forEach((one) => (one.open = true))"


def test_pages_of_sharing_are_accessible(page: Page, shared_file: str, team: str) -> None:
    def look() -> None:
        page.evaluate(UNFOLD)
        assert wrong(page) == [], page.url

    page.goto(f"{shared_file}grants/")
    look()
    the_field(page).fill(f"bob; nobody at all; {team}")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text("There is no person and no group")).to_be_visible()
    page.get_by_label("Until", exact=True).select_option("on a date…")
    look()
    page.goto(f"{shared_file}grants/")
    the_field(page).fill(f"bob; {team}")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text(re.compile("^Shared with bob"))).to_be_visible()
    look()
    page.get_by_role("button", name="Stop sharing with bob", exact=True).click()
    expect(page.get_by_role("heading", name="bob can still read it")).to_be_visible()
    look()
    number = shared_file.split("/")[2]
    for path in (shared_file, f"{shared_file}versions/", f"{shared_file}history/"):
        page.goto(path)
        look()
    page.goto(f"/files/share/?file={number}&back=/files/")
    page.keyboard.type("mallory")
    page.keyboard.press("Enter")
    expect(the_field(page)).to_have_value("")
    look()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_sharing_fit_a_narrow_screen_and_read_well(
    page: Page, shared_file: str, team: str, scheme: str
) -> None:
    page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    page.set_viewport_size({"width": NARROWEST, "height": 640})
    number = shared_file.split("/")[2]
    page.goto(f"{shared_file}grants/")
    the_field(page).fill(f"bob; {team}")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text(re.compile("^Shared with bob"))).to_be_visible()
    shared = page.url
    for path in (shared_file, shared, f"/files/share/?file={number}&back=/files/"):
        page.goto(path)
        if "share" in path:
            page.keyboard.type("bob")
            page.keyboard.press("Enter")
            expect(the_field(page)).to_have_value("")
        page.evaluate(UNFOLD)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST, path
        assert page.evaluate(LOW_CONTRAST) == [], path


def test_buttons_wrap_on_a_narrow_screen(page: Page, shared_file: str) -> None:
    page.set_viewport_size({"width": 390, "height": 640})
    page.goto(shared_file)
    buttons = page.get_by_role("group", name="What you can do with it").get_by_role("link")
    names = [name.split()[0] for name in buttons.all_inner_texts()]
    assert names == ["Download", "Share", "View", "Move", "Versions", "Rename", "History", "Delete"]
    for button in buttons.all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["height"] >= 24
