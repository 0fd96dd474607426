"""The ways through the site in Firefox: upload, list, share, view, download.

Debian's `firefox-esr`, or the one that FIREFOX names, as it is installed, over WebDriver BiDi. What
that cannot do here stands in CONTRIBUTING.md. What only Chromium is looked at for (layout that
moves, themes, slow lines) is the same code in both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Playwright, expect

from tests import documents
from tests.browser.accessibility import beside_the_window, violations
from tests.browser.conftest import PASSWORD, RunningSite, SignIn
from tests.browser.test_pages import file_link, upload, written
from tests.browser.test_viewer import COLOURS, STAGE, problem, view

Give = Callable[..., str]

WAIT = 30_000

REFUSED = """addEventListener("securitypolicyviolation", (event) =>
  refused(`${event.violatedDirective} ${event.blockedURI} at ${document.URL}`))"""
"""BiDi does not hand over what a policy blocked: the document itself says it."""


@pytest.fixture(scope="module")
def firefox(playwright: Playwright) -> Iterator[Browser]:
    """One Firefox, driven by what it brings itself."""
    browser = playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=os.environ.get("FIREFOX", "/usr/bin/firefox-esr"),
        env={**os.environ, "HOME": os.environ.get("HOME", "/root")},
    )
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def people(site: RunningSite) -> tuple[str, str]:
    """Who uses Firefox: one who owns, and one whom something is shared with."""
    site.members("fiona", "felix")
    site.let_members_share()
    return "fiona", "felix"


@pytest.fixture(scope="module")
def lasting(firefox: Browser, site: RunningSite) -> Iterator[tuple[BrowserContext, list[str]]]:
    """The profile that tests use one after another, and what was complained of in it."""
    complaints: list[str] = []
    with firefox.new_context(base_url=site.url, locale="en-GB", timezone_id="UTC") as context:
        context.set_default_timeout(WAIT)
        context.expose_binding("refused", lambda _source, what: complaints.append(what))
        context.add_init_script(REFUSED)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        yield context, complaints


@pytest.fixture
def profile(lasting: tuple[BrowserContext, list[str]]) -> Iterator[BrowserContext]:
    """Nobody's profile: no tabs, no cookies, nothing that pages stored.

    A script or style that the policy blocks, or an error, fails the test.
    """
    context, complaints = lasting
    complaints.clear()
    yield context
    for page in context.pages:
        page.evaluate("try { localStorage.clear(); } catch {}")
        page.close()
    context.clear_cookies()
    assert not complaints, complaints


@pytest.fixture
def tab(profile: BrowserContext, people: tuple[str, str], sign_in: SignIn) -> Page:
    """A tab of Fiona's, who has signed in."""
    page = profile.new_page()
    sign_in(page, people[0], to="")
    return page


@pytest.fixture
def give(site: RunningSite, tmp_path: Path, people: tuple[str, str]) -> Give:
    """Give Fiona a file; its id."""

    def given(name: str, content: bytes, kind: str = "application/octet-stream") -> str:
        path = tmp_path / "content"
        path.write_bytes(content)
        return site.run(
            "from accounts.models import User\nfrom files.vault import storing\n"
            "owner = User.objects.get(username='fiona')\n"
            f"content = open({str(path)!r}, 'rb').read()\n"
            f"record = storing.store(owner, [content], name={name!r}, content_type={kind!r})\n"
            "print('id', record.pk)\n"
        ).split()[-1]

    return given


def test_it_is_the_browser_that_it_says(firefox: Browser, tab: Page) -> None:
    """And not a patched one that was downloaded with what drives it."""
    assert "Firefox/" in tab.evaluate("navigator.userAgent")
    assert firefox.version.split(".")[0] in tab.evaluate("navigator.userAgent")


def test_a_file_is_uploaded_listed_shared_and_downloaded(
    tab: Page, profile: BrowserContext, people: tuple[str, str], sign_in: SignIn, tmp_path: Path
) -> None:
    report = written(tmp_path, "Firefox, Ünïcödé & “quotes” 100.bin", 9 * 1024 * 1024 + 1)
    upload(tab, report, written(tmp_path, "Firefox, empty.txt", 0))
    address = file_link(tab, report)

    tab.get_by_label("Search files by name").fill("unicode")
    tab.get_by_role("button", name="Search").click()
    tab.get_by_role("link", name=report.name, exact=True).click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(report.name)

    tab.get_by_role("link", name="Share", exact=True).click()
    field = tab.get_by_label("Share with", exact=True)
    expect(field).to_be_focused()
    tab.keyboard.type("feli")
    options = tab.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_text([re.compile("felix")])
    tab.keyboard.press("Enter")
    expect(tab.locator(".chips .chip-name")).to_have_text(["felix"])
    tab.get_by_role("button", name="Share", exact=True).click()
    expect(tab.get_by_text("Shared with felix.")).to_be_visible()

    profile.clear_cookies()
    sign_in(tab, people[1])
    tab.get_by_role("link", name="Shared", exact=True).click()
    tab.get_by_role("link", name=report.name, exact=True).click()
    expect(tab).to_have_url(re.compile(f"{re.escape(address)}$"))
    with tab.expect_download() as download:
        tab.get_by_role("link", name=re.compile("^Download")).click()
    assert download.value.suggested_filename == report.name
    assert download.value.path().read_bytes() == report.read_bytes()


def test_what_is_dropped_on_a_list_is_stored_and_shown_in_its_row(tab: Page) -> None:
    tab.goto("/folders/new/")
    tab.get_by_label("Name", exact=True).fill("Firefox drops")
    tab.get_by_role("button", name="Make the folder").click()
    tab.get_by_role("link", name="Firefox drops", exact=True).click()
    tab.wait_for_url("**/folders/*-*/")
    tab.evaluate(
        """() => {
          const main = document.querySelector("main");
          const dataTransfer = new DataTransfer();
          for (const name of ["one.txt", "two.txt"]) {
            dataTransfer.items.add(new File([name], name));
          }
          for (const kind of ["dragover", "drop"]) {
            const how = { bubbles: true, cancelable: true, dataTransfer };
            main.dispatchEvent(new DragEvent(kind, how));
          }
        }"""
    )
    expect(tab.get_by_role("rowheader")).to_have_text(["one.txt", "two.txt"], timeout=WAIT)


def test_several_are_chosen_deleted_and_brought_back(tab: Page, give: Give) -> None:
    for number in range(3):
        give(f"Firefox chosen {number}.txt", b"x", "text/plain")
    tab.goto("/files/?q=firefox+chosen")
    boxes = tab.locator("td.pick input")
    expect(boxes).to_have_count(3)
    boxes.first.focus()
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Shift+Space")
    acts = tab.get_by_role("group", name="With what is chosen")
    expect(acts.locator("[data-count]")).to_have_text("2 chosen")
    acts.get_by_role("button", name="Delete").click()
    expect(boxes).to_have_count(1)
    tab.get_by_role("button", name="Undo").click()
    expect(boxes).to_have_count(3)


def test_a_pdf_is_shown_in_a_frame_of_no_origin(tab: Page, give: Give) -> None:
    texts = [f"This is page {n} of the report" for n in range(1, 13)]
    frame = view(tab, give("Firefox.pdf", documents.pdf(texts), "application/pdf"))
    assert frame.evaluate("self.origin") == "null"
    expect(frame.locator(".page")).to_have_count(12)
    expect(frame.locator(".page").first).to_contain_text(texts[0])
    assert frame.evaluate(DARK, ".page canvas") > 0
    # As a person does: what fills a field over BiDi adds to a number that is there.
    tab.get_by_label("Page", exact=True).focus()
    for key in ("Control+a", "9", "Enter"):
        tab.keyboard.press(key)
    expect(frame.locator('.page[data-number="9"]')).to_contain_text(texts[8], timeout=WAIT)
    wide = frame.locator('.page[data-number="9"]').evaluate("e => e.clientWidth")
    tab.get_by_role("button", name="Larger").click()
    expect(frame.locator('.page[data-number="9"]')).not_to_have_css("width", f"{wide}px")


DARK = """(which) => {
  const canvas = document.querySelector(which);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, n) => n % 4 === 0 && value < 100).length;
}"""
"""How many dots of a canvas are dark: whether anything was drawn."""


def test_a_picture_and_a_text_are_shown(tab: Page, give: Give) -> None:
    frame = view(tab, give("Firefox.png", documents.png(60, 40), "image/png"))
    canvas = frame.get_by_role("img", name=re.compile("^Content of Firefox"))
    assert canvas.evaluate(COLOURS) == [[255, 0, 0], [0, 0, 255], 60, 40]
    text = "# A heading\n<script>top.ran = 1</script> \u00fc\u4e2d\u0627 \U0001f600\n"
    frame = view(tab, give("Firefox.md", text.encode(), "text/markdown"))
    assert frame.locator("pre").text_content() == text
    assert tab.evaluate("window.ran") is None


def test_sound_is_played_in_the_page(tab: Page, give: Give) -> None:
    file_id = give("Firefox.wav", documents.wav(2.0), "audio/wav")
    tab.goto(f"/files/{file_id}/view/")
    expect(tab.locator(STAGE)).to_have_attribute("data-state", "shown")
    player = tab.locator("audio")
    assert player.evaluate("e => e.duration") == pytest.approx(2.0, abs=0.05)
    player.evaluate("e => new Promise(done => { e.onseeked = done; e.currentTime = 1.5; })")


def test_what_cannot_be_shown_is_said(tab: Page, give: Give) -> None:
    page = b"<!doctype html><script>top.ran = 1</script>" * 9
    assert "not what" in problem(tab, give("Firefox, not a.pdf", page, "application/pdf"))
    broken = b"%PDF-1.7\n" + b"nothing of the kind\n" * 99
    assert "could not" in problem(tab, give("Firefox, broken.pdf", broken, "application/pdf"))
    assert tab.evaluate("window.ran") is None


SECRETS = ("document.cookie", "localStorage.length", "parent.document.body", "frameElement.title")


@pytest.fixture
def taken(tab: Page, give: Give) -> Frame:
    """The viewer's frame, in which the test's script runs as if a document had brought it."""
    return view(tab, give("Firefox, hostile.txt", b"a document", "text/plain"))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_document_finds_nothing(taken: Frame, secret: str) -> None:
    asked = f"() => {{ try {{ return String({secret}); }} catch (error) {{ return error.name; }} }}"
    assert taken.evaluate(asked) in {"SecurityError", "TypeError", "null"}
    assert taken.evaluate("typeof RTCPeerConnection") == "undefined"


def test_a_locked_file_is_opened_with_its_key(tab: Page, tmp_path: Path) -> None:
    path = written(tmp_path, "Firefox, locked.bin", 300_000)
    tab.goto("/files/upload/")
    tab.get_by_text("Who keeps the key:").click()
    tab.get_by_label("I keep it", exact=True).check()
    tab.get_by_label("Files", exact=True).set_input_files(path)
    key = tab.locator("#new-keys [data-key]").inner_text()
    tab.get_by_label("I have saved every key above in a safe place.").check()
    tab.get_by_role("button", name="Confirm").click()
    expect(tab.locator("#new-keys")).to_be_hidden()
    tab.locator("#stored").get_by_role("link").first.click()
    tab.get_by_label("Key of this file").fill(key)
    tab.get_by_role("button", name="Unlock").click()
    with tab.expect_download() as download:
        tab.get_by_role("link", name=re.compile("^Download")).click()
    assert download.value.path().read_bytes() == path.read_bytes()


def test_pages_are_clean_here_too(tab: Page, give: Give) -> None:
    """The same rules that Chromium's pages are held against."""
    file_id = give("Firefox, looked at.pdf", documents.pdf(["x"]), "application/pdf")
    wrong = []
    for path in ("/files/", f"/files/{file_id}/", "/files/upload/", "/shared/", "/accounts/"):
        tab.goto(path)
        wrong += [f"{path}: {one}" for one in violations(tab) + beside_the_window(tab)]
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.goto("/files/")
    wrong += violations(tab) + beside_the_window(tab)
    assert wrong == []


def test_the_keyboard_is_enough_to_sign_in_and_out(
    profile: BrowserContext, people: tuple[str, str]
) -> None:
    page = profile.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("User name or e-mail address").focus()
    page.keyboard.type(people[0])
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/files/")
    page.locator("header .menu > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Account")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("header .menu")).not_to_have_attribute("open", "")
    expect(page.locator("header .menu > summary")).to_be_focused()
