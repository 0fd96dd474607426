"""The viewer in Chromium: what it shows, how one gets about, what it fetches and refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page, Route, expect

from tests import documents
from tests.browser.conftest import RunningSite, SignIn

Store = Callable[..., str]

STAGE = "[data-viewer]"


@pytest.fixture
def store(site: RunningSite, tmp_path: Path) -> Store:
    """Give Alice a file; its id."""

    def stored(name: str, content: bytes, kind: str = "application/octet-stream") -> str:
        path = tmp_path / "content"
        path.write_bytes(content)
        return site.run(
            "from accounts.models import User\nfrom files.vault import storing\n"
            "alice = User.objects.get(username='alice')\n"
            f"content = open({str(path)!r}, 'rb').read()\n"
            f"record = storing.store(alice, [content], name={name!r}, content_type={kind!r})\n"
            "print('id', record.pk)\n"
        ).split()[-1]

    return stored


def view(page: Page, file_id: str) -> Frame:
    """Open the viewer by its button, and wait until something is shown; its frame."""
    page.goto(f"/files/{file_id}/")
    page.get_by_role("link", name="View", exact=True).click()
    expect(page.locator(STAGE)).to_have_attribute("data-state", "shown", timeout=30_000)
    return inner(page)


def inner(page: Page) -> Frame:
    [frame] = [frame for frame in page.frames if frame.url.endswith("/files/viewer/")]
    return frame


def problem(page: Page, file_id: str) -> str:
    """What the viewer says instead."""
    page.goto(f"/files/{file_id}/view/")
    notice = page.locator("[data-problem]")
    notice.wait_for(timeout=30_000)
    assert page.locator("iframe").is_hidden()
    return notice.inner_text()


def test_a_pdf(page: Page, sign_in: SignIn, store: Store) -> None:
    texts = [f"This is page {n} of the report" for n in range(1, 13)]
    file_id = store("Report for the viewer.pdf", documents.pdf(texts), "application/pdf")
    sign_in(page, "alice", to="")
    frame = view(page, file_id)
    expect(frame.locator(".page")).to_have_count(12)
    # Its text is there to be read out, selected and searched.
    expect(frame.locator(".page").first).to_contain_text(texts[0])
    assert frame.locator(".page").first.get_attribute("aria-label") == "Page 1 of 12"
    number = page.get_by_label("Page", exact=True)
    expect(number).to_have_value("1")
    page.get_by_role("button", name="Next page").click()
    expect(number).to_have_value("2")
    number.fill("9")
    number.press("Enter")
    expect(frame.locator('.page[data-number="9"]')).to_contain_text(texts[8])
    # What is far away is let go.
    expect(frame.locator('.page[data-number="1"] canvas')).to_have_count(0)
    wide = frame.locator('.page[data-number="9"]').evaluate("e => e.clientWidth")
    page.get_by_role("button", name="Larger").click()
    expect(frame.locator('.page[data-number="9"]')).not_to_have_css("width", f"{wide}px")
    assert frame.locator('.page[data-number="9"]').evaluate("e => e.clientWidth") > wide
    expect(number).to_have_value("9")


def test_getting_about_by_keyboard(page: Page, sign_in: SignIn, store: Store) -> None:
    texts = [f"Page {n}" for n in range(1, 6)]
    file_id = store("Keyboard.pdf", documents.pdf(texts), "application/pdf")
    sign_in(page, "alice", to="")
    frame = view(page, file_id)
    number = page.get_by_label("Page", exact=True)
    page.get_by_role("button", name="Fit").focus()
    page.keyboard.press("Tab")
    assert frame.evaluate("document.activeElement.localName") == "main"
    page.keyboard.press("ArrowRight")
    expect(number).to_have_value("2")
    page.keyboard.press("End")
    expect(number).to_have_value("5")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Back to the file")).to_be_focused()
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/files/{file_id}/")


@pytest.mark.parametrize("name", ["Notes.txt", "Notes.md"])
def test_text_is_text(page: Page, sign_in: SignIn, store: Store, name: str) -> None:
    text = "# A heading\n<script>top.ran = 1</script><b>bold</b> \u00fc\u4e2d\u0627 \U0001f600\n"
    file_id = store(name, text.encode() + b"\xff\xfe end", "text/plain")
    sign_in(page, "alice", to="")
    frame = view(page, file_id)
    assert frame.locator("pre").inner_text() == text + "\ufffd\ufffd end"
    assert frame.locator("pre *").count() == 0
    assert page.evaluate("window.ran") is None
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_long_text_comes_piece_by_piece(page: Page, sign_in: SignIn, store: Store) -> None:
    # A character is cut by every border of a piece.
    text = "a" + "\u00fc" * 700_000
    file_id = store("Long.txt", text.encode(), "text/plain")
    sign_in(page, "alice", to="")
    frame = view(page, file_id)
    more = page.get_by_role("button", name="Show more")
    expect(more).to_be_visible()
    before = len(frame.locator("pre").text_content() or "")
    assert before < 600_000
    more.click()
    expect(more).to_be_hidden()
    assert frame.locator("pre").text_content() == text


def test_an_empty_file(page: Page, sign_in: SignIn, store: Store) -> None:
    file_id = store("Empty.txt", b"", "text/plain")
    sign_in(page, "alice", to="")
    assert view(page, file_id).locator("pre").text_content() == ""


COLOURS = """canvas => {
  const drawing = canvas.getContext("2d");
  const at = (x) => [...drawing.getImageData(x, 5, 1, 1).data].slice(0, 3);
  return [at(2), at(canvas.width - 3), canvas.width, canvas.height];
}"""


def test_a_picture(page: Page, sign_in: SignIn, store: Store) -> None:
    file_id = store("Picture.png", documents.png(60, 40), "image/png")
    sign_in(page, "alice", to="")
    frame = view(page, file_id)
    canvas = frame.get_by_role("img", name=re.compile("^Content of Picture"))
    assert canvas.evaluate(COLOURS) == [[255, 0, 0], [0, 0, 255], 60, 40]
    width = canvas.evaluate("e => e.clientWidth")
    page.get_by_role("button", name="Larger").click()
    expect(canvas).not_to_have_css("width", f"{width}px")
    page.get_by_role("button", name="Fit").click()
    expect(canvas).to_have_css("width", f"{width}px")


PDF, PNG, MP4 = "application/pdf", "image/png", "video/mp4"
PAGE = b"<!doctype html><script>top.ran = 1</script>" * 9
DRAWING = b"<svg xmlns='http://www.w3.org/2000/svg' onload='top.ran = 1'></svg>" * 9


@pytest.mark.parametrize(
    ("name", "kind", "content", "words"),
    [
        ("Not a.pdf", PDF, PAGE, "not what"),
        ("Broken.pdf", PDF, b"%PDF-1.7\n" + b"nothing of the kind\n" * 99, "could not"),
        ("Not a.png", PNG, DRAWING, "not what"),
        ("Cut.png", PNG, documents.png(60, 40)[:60], "could not"),
        ("Bomb.png", PNG, documents.png(50_000, 50_000, rows=False), "too large"),
        ("Locked.pdf", PDF, documents.pdf(["x"], encrypted=True), "password of its own"),
        ("Not a.mp4", MP4, b"nothing that plays" * 99, "could not"),
    ],
)
def test_what_cannot_be_shown_is_said(
    page: Page, sign_in: SignIn, store: Store, name: str, kind: str, content: bytes, words: str
) -> None:
    file_id = store(name, content, kind)
    sign_in(page, "alice", to="")
    assert words in problem(page, file_id)
    assert page.get_by_role("link", name=re.compile("^Download")).is_visible()
    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Tone.wav", "audio/wav"), ("Tone of no type.wav", "application/octet-stream")],
)
def test_sound_is_played_in_the_page(
    page: Page, sign_in: SignIn, store: Store, name: str, kind: str
) -> None:
    file_id = store(name, documents.wav(2.0), kind)
    sign_in(page, "alice", to="")
    page.goto(f"/files/{file_id}/view/")
    player = page.locator("audio")
    expect(page.locator(STAGE)).to_have_attribute("data-state", "shown")
    assert player.evaluate("e => e.duration") == pytest.approx(2.0, abs=0.05)
    # Sought by a range.
    player.evaluate("e => new Promise(done => { e.onseeked = done; e.currentTime = 1.5; })")
    assert player.evaluate("e => e.currentTime") == pytest.approx(1.5, abs=0.05)
    assert page.locator("iframe").count() == 0


def test_sound_that_is_there_before_the_script_is_shown(
    page: Page, sign_in: SignIn, store: Store
) -> None:
    file_id = store("Early.wav", documents.wav(2.0), "audio/wav")
    sign_in(page, "alice", to="")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/viewer/page.*js", hold)
    page.goto(f"/files/{file_id}/view/", wait_until="commit")
    page.wait_for_function("() => document.querySelector('audio')?.readyState >= 2")
    expect(page.locator(STAGE)).not_to_have_attribute("data-state", "shown")
    held.pop().continue_()
    expect(page.locator(STAGE)).to_have_attribute("data-state", "shown")


@pytest.mark.parametrize("scattered", [False, True])
def test_a_large_pdf_costs_what_its_first_page_needs(
    page: Page, sign_in: SignIn, store: Store, scattered: bool
) -> None:
    texts = [f"Page {n}" for n in range(1, 101)]
    content = documents.pdf(texts, weight=200_000, scattered=scattered)
    file_id = store("Large.pdf", content, "application/pdf")
    sign_in(page, "alice", to="")
    fetched: list[int] = []
    page.on(
        "response",
        lambda answer: (
            fetched.append(int(answer.headers["content-length"]))
            if answer.url.endswith("/download/")
            else None
        ),
    )
    frame = view(page, file_id)
    expect(frame.locator(".page").first).to_contain_text("Page 1")
    assert len(content) > 20_000_000
    assert sum(fetched) < 2_500_000
    number = page.get_by_label("Page", exact=True)
    number.fill("70")
    number.press("Enter")
    expect(frame.locator('.page[data-number="70"]')).to_contain_text("Page 70")
    assert sum(fetched) < 6_000_000


def test_a_locked_file_is_shown_once_its_key_was_entered(
    page: Page, sign_in: SignIn, site: RunningSite
) -> None:
    file_id, key = site.run(
        "from accounts.models import User\nfrom files.keys.custody import UserKey\n"
        "from files.vault import storing\nfrom cryptography.fernet import Fernet\n"
        "alice = User.objects.get(username='alice')\nkey = Fernet.generate_key().decode()\n"
        "record = storing.store(alice, [b'under its own key'], name='Held to view.txt',\n"
        "    content_type='text/plain', key=UserKey(key))\nprint('id', record.pk, key)\n"
    ).split()[-2:]
    sign_in(page, "alice", to="")
    page.goto(f"/files/{file_id}/")
    page.get_by_role("link", name="View", exact=True).click()
    page.locator("#key").fill(key)
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator(STAGE)).to_have_attribute("data-state", "shown")
    assert inner(page).locator("pre").inner_text() == "under its own key"
    # Locked again while its page is open.
    page.context.clear_cookies(name="securestore_unlock_key")
    page.reload()
    expect(page.locator("#key")).to_be_visible()


def test_a_file_that_changed_is_not_mixed_with_what_it_was(
    page: Page, sign_in: SignIn, store: Store, site: RunningSite
) -> None:
    file_id = store("Changes.txt", b"a" * 1_500_000, "text/plain")
    sign_in(page, "alice", to="")
    view(page, file_id)
    site.run(
        "from accounts.models import User\nfrom files.models import FileRecord\nimport uuid\n"
        f"FileRecord.objects.filter(pk={file_id!r}).update(version=uuid.uuid4())\n"
    )
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("[data-problem]")).to_contain_text("has changed meanwhile")


def test_without_scripts_there_are_words(plain: Page, sign_in: SignIn, store: Store) -> None:
    file_id = store("No scripts.pdf", documents.pdf(["x"]), "application/pdf")
    sign_in(plain, "alice", to=f"/files/{file_id}/view/")
    assert "takes JavaScript" in plain.locator("main").inner_text()
    expect(plain.get_by_role("button", name="Larger")).to_be_hidden()
    expect(plain.get_by_role("link", name=re.compile("^Download"))).to_be_visible()


@pytest.mark.parametrize("look", ["dark", "forced"])
def test_narrow_and_dark(page: Page, sign_in: SignIn, store: Store, look: str) -> None:
    file_id = store("Narrow.pdf", documents.pdf(["A page", "Another"]), "application/pdf")
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark", forced_colors="active" if look == "forced" else "none")
    sign_in(page, "alice", to="")
    frame = view(page, file_id)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert frame.evaluate("document.querySelector('main').scrollWidth") <= 390
    for control in page.locator("[data-controls] :is(button, input)").all():
        box = control.bounding_box()
        assert box is None or min(box["width"], box["height"]) >= 24
