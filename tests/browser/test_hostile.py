"""What somebody uploads to harm the next reader: pages with scripts in them, and names."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, FilePayload, Page, expect

from tests.browser.conftest import RunningSite, SignIn
from tests.browser.test_folders import make_folder, open_

RAN = "window.top.document.title = 'it ran'; window.name = 'it ran'; top.ran = 'it ran'"
PAYLOADS = {
    "page.html": ("text/html", f"<!doctype html><script>{RAN}</script><h1>rendered</h1>"),
    "picture.svg": (
        "image/svg+xml",
        f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{RAN}\"><script>{RAN}</script></svg>",
    ),
    "page.xhtml": (
        "application/xhtml+xml",
        f"<html xmlns='http://www.w3.org/1999/xhtml'><script>{RAN}</script></html>",
    ),
    "script.js": ("text/javascript", RAN),
    "style.css": ("text/css", "body { display: none !important }"),
}
NAMES = (
    '"><img src=x onerror="top.ran=1">.txt',
    "'><script>top.ran=1<script>.txt",
    "photo\u202egpj.exe",
    "\U0001f600" * 62 + ".txt",  # 252 bytes
    "=cmd|' C calc'!A0",
    "{{ 7*7 }}{% debug %}",
)


@pytest.fixture
def stored(site: RunningSite) -> dict[str, str]:
    """The payloads as Alice's files: their ids by name."""
    printed = site.run(
        "from accounts.models import User\nfrom files.vault import storing\n"
        "alice = User.objects.get(username='alice')\n"
        f"for name, (kind, text) in {PAYLOADS!r}.items():\n"
        "    record = storing.store(alice, [text.encode()], name=name, content_type=kind)\n"
        "    print(name, record.pk)\n"
    )
    return dict(line.split() for line in printed.splitlines() if line.startswith(tuple(PAYLOADS)))


def ran(page: Page) -> Any:
    return page.evaluate("[document.title, window.name, window.ran]")


def test_an_opened_upload_is_saved_and_not_shown(
    page: Page, sign_in: SignIn, stored: dict[str, str], tmp_path: Path
) -> None:
    sign_in(page, "alice")
    before = page.url
    for name, file_id in stored.items():
        with (
            page.expect_download() as download,
            pytest.raises(Error, match="Download is starting"),
        ):
            page.goto(f"/files/{file_id}/download/")
        # Another test may have stored the same ones: a name that is taken gets a number.
        assert re.sub(r" \(\d+\)", "", download.value.suggested_filename) == name
        assert download.value.path().read_text() == PAYLOADS[name][1]
        assert page.url == before
        assert "it ran" not in ran(page)


SAVED = {
    # A browser takes for itself what its system does not.
    "50%20off.txt": "50%20off.txt",
    "Pr\u00fcfung %41.txt": "Pr\u00fcfung %41.txt",
    'say "cheese".txt': "say _cheese_.txt",
    "a; b=c, d.txt": "a; b=c, d.txt",
    "\u6587\u4ef6 \U0001fa77.txt": "\u6587\u4ef6 \U0001fa77.txt",
    "what?.txt": "what_.txt",
}


def test_a_download_is_saved_under_the_name_of_the_file(
    page: Page, site: RunningSite, sign_in: SignIn
) -> None:
    printed = site.run(
        "from accounts.models import User\nfrom files.vault import storing\n"
        "alice = User.objects.get(username='alice')\n"
        f"for name in {list(SAVED)!a}:\n"
        "    print('stored', storing.store(alice, [b'x'], name=name).pk)\n"
    )
    ids = [line.split()[1] for line in printed.splitlines() if line.startswith("stored ")]
    sign_in(page, "alice")
    for file_id, saved in zip(ids, SAVED.values(), strict=True):
        with (
            page.expect_download() as download,
            pytest.raises(Error, match="Download is starting"),
        ):
            page.goto(f"/files/{file_id}/download/")
        assert download.value.suggested_filename == saved


EMBED = """async ([tag, attribute, url, extra]) => {
  const element = Object.assign(document.createElement(tag), extra);
  const settled = new Promise((resolve) => {
    element.addEventListener("load", () => resolve("load"));
    element.addEventListener("error", () => resolve("error"));
    setTimeout(() => resolve("nothing"), 1000);
  });
  element.setAttribute(attribute, url);
  document.body.append(element);
  return settled;
}"""
"""Put an element that loads `url` into the page; how that ended."""


def test_an_upload_embedded_in_a_page_of_the_site_does_not_run(
    unwatched: Page, sign_in: SignIn, stored: dict[str, str]
) -> None:
    # The policy itself complains here, as it should.
    page = unwatched
    sign_in(page, "alice")
    url = {name: f"/files/{file_id}/download/" for name, file_id in stored.items()}
    for name in ("page.html", "picture.svg", "page.xhtml"):
        for tag, attribute in (("iframe", "src"), ("object", "data"), ("embed", "src")):
            page.evaluate(EMBED, [tag, attribute, url[name], {}])
    for extra in ({}, {"type": "module"}):
        ended = page.evaluate(EMBED, ["script", "src", url["script.js"], extra])
        assert ended == "error"
    sheet = {"rel": "stylesheet"}
    assert page.evaluate(EMBED, ["link", "href", url["style.css"], sheet]) == "error"
    assert page.evaluate(EMBED, ["img", "src", url["picture.svg"], {}]) == "error"
    assert "it ran" not in ran(page)
    assert page.locator("main").is_visible()
    # Each was asked for as what it is; a program of ours that fetches it gets it all the same.
    fetched = page.evaluate("url => fetch(url).then((answer) => answer.status)", url["page.html"])
    assert fetched == 200


def test_hostile_names_are_text_wherever_they_are_shown(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    # A console error or a violated policy fails `page` itself.
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    sign_in(page, "mallory")
    # In a folder of its own, since the list may have other tests' files.
    make_folder(page, "Hostile names")
    open_(page, "Hostile names")
    folder = page.url
    page.get_by_role("link", name="Upload files").click()
    files = [FilePayload(name=name, mimeType="text/plain", buffer=b"x") for name in NAMES]
    page.get_by_label("Files", exact=True).set_input_files(files)
    expect(page.locator("#stored li")).to_have_count(len(NAMES))
    page.goto(folder)
    rows = page.get_by_role("rowheader")
    expect(rows).to_have_count(len(NAMES))
    shown = [name.strip() for name in rows.all_inner_texts()]
    assert set(shown) == {name.replace("\u202e", "") for name in NAMES}
    for name in shown:
        page.goto(folder)
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert name in page.title()
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile("^Download")).click()
        saved = download.value.suggested_filename
        assert saved == Path(saved).name
        assert "\u202e" not in saved
        page.get_by_role("link", name="Delete", exact=True).click()
        expect(page.locator("main .name").first).to_have_text(name)
        page.get_by_role("button", name="Put it into the trash").click()
        # The message names it, and the list has it no more.
        expect(page.get_by_role("status")).to_contain_text(f"“{name}” is in the trash")
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src=x]").count() == 0
    assert dialogs == []
