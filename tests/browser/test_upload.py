"""The upload page with JavaScript: what tus-js-client sends, and what becomes of it on the way.

The site is one for all tests, so every test names its files for itself. A connection that is made
slow is what gives a test the time to act in the middle of an upload.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from tests.browser.conftest import RunningSite, SignIn, downloaded, through_the_page

MIB = 1 << 20
WAIT = 30_000
"""Milliseconds for an upload to finish: more than the first few waits between attempts."""


@pytest.fixture
def form(page: Page, sign_in: SignIn) -> Iterator[Page]:
    """The upload page of bob. Questions whether to leave it are answered with yes."""
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, "bob", to="/files/upload/")
    yield page
    # Nothing that a test left running may hold the closing up.
    page.goto("about:blank")


class Line:
    """The browser's connection, which can be made slow."""

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        cdp.send("Network.enable")

    def limit(self, rate: int, *, offline: bool = False) -> None:
        """Let `rate` bytes per second out; 0 is no limit."""
        conditions = {
            "offline": offline,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": rate or -1,
        }
        self._cdp.send("Network.emulateNetworkConditions", conditions)


@pytest.fixture
def line(form: Page) -> Line:
    return Line(form.context.new_cdp_session(form))


def written(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


def send(page: Page, *files: Path) -> None:
    """Choosing them is all that it takes."""
    page.get_by_label("Files", exact=True).set_input_files(files)


def row(page: Page, path: Path) -> Locator:
    return page.locator(".transfer").filter(has_text=path.name)


def problem(page: Page) -> Locator:
    """What is said of an upload that stopped."""
    return page.locator(".transfer > .problem:not([hidden])")


def summary(page: Page) -> Locator:
    """How all uploads stand, for who looks."""
    return page.get_by_role("region", name="Uploads").locator("[data-part=summary]")


def said(page: Page) -> Locator:
    """The one place where uploads are announced."""
    return page.locator("#uploads-said")


def bar(page: Page, path: Path) -> Locator:
    return page.get_by_role("progressbar", name=f"Progress of {path.name}")


def stored(page: Page, path: Path) -> Locator:
    """What the page says was stored of that name; of several, the others have a number."""
    name = rf"^{re.escape(path.stem)}( \(\d+\))?{re.escape(path.suffix)}$"
    return page.locator("#stored").get_by_role("link", name=re.compile(name))


def press(page: Page, action: str, path: Path) -> None:
    what = "Cancel upload of" if action == "Cancel" else action
    page.get_by_role("button", name=f"{what} {path.name}").click()


def expect_stored_whole(page: Page, path: Path) -> None:
    """Through the link that the page gives, the bytes that were sent."""
    expect(stored(page, path)).to_be_visible(timeout=WAIT)
    address = stored(page, path).get_attribute("href")
    assert address is not None
    assert downloaded(page, f"{address}download/") == path.read_bytes()


def wait_for_progress(page: Page, path: Path, share: float = 0.05) -> None:
    element = bar(page, path).element_handle()
    page.wait_for_function(
        "([bar, share]) => bar.value / bar.max > share", arg=[element, share], timeout=WAIT
    )


def remembered(page: Page) -> list[str]:
    """What the browser keeps of unfinished uploads."""
    keys: list[str] = page.evaluate(
        "Object.keys(localStorage).filter((key) => key.startsWith('tus::'))"
    )
    return keys


def sessions(site: RunningSite, path: Path) -> list[int]:
    """How many bytes the server has of each unfinished upload of that name."""
    printed = site.run(
        "import json\n"
        "from files.models import UploadSession\n"
        f"found = UploadSession.objects.filter(name={path.name!r}, completed_at=None)\n"
        "print(json.dumps([session.object.offset for session in found]))\n"
    )
    offsets: list[int] = json.loads(printed)
    return offsets


def test_several_files_arrive_as_they_were(form: Page, tmp_path: Path) -> None:
    files = [
        written(tmp_path, "Several, one.bin", 9 * MIB + 1),
        written(tmp_path, "Several, empty.txt", 0),
        written(tmp_path, "Several, Ünïcödé <b> & “quotes” 100%.bin", 65_536),
        written(tmp_path, "Several, four.bin", 1),
        written(tmp_path, "Several, five.bin", 300_001),
    ]
    send(form, *files)
    for path in files:
        expect_stored_whole(form, path)
    expect(summary(form)).to_have_text("All done: 5 files stored.")
    expect(said(form)).to_have_text("All done: 5 files stored.")
    assert remembered(form) == []
    form.goto("/files/")
    for path in files:
        expect(form.get_by_role("link", name=path.name, exact=True)).to_be_visible()


def test_files_are_taken_by_drag_and_drop(form: Page) -> None:
    carried = form.evaluate_handle(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File(["dropped"], "Dropped on the page.txt"));
          return carried;
        }"""
    )
    zone = form.locator(".drop")
    form.dispatch_event("h1", "dragover", {"dataTransfer": carried})
    assert "over" in (zone.get_attribute("class") or "").split()
    form.dispatch_event("h1", "drop", {"dataTransfer": carried})
    assert "over" not in (zone.get_attribute("class") or "").split()
    link = form.locator("#stored").get_by_role("link", name="Dropped on the page.txt")
    expect(link).to_be_visible()
    address = link.get_attribute("href")
    assert downloaded(form, f"{address}download/") == b"dropped"


def test_a_paused_upload_stands_still_until_it_is_resumed(
    form: Page, line: Line, tmp_path: Path
) -> None:
    path = written(tmp_path, "Paused.bin", 12 * MIB)
    line.limit(2 * MIB)
    send(form, path)
    wait_for_progress(form, path)
    expect(row(form, path)).to_contain_text("/s, ")
    expect(row(form, path)).to_contain_text(" left")
    press(form, "Pause", path)
    expect(row(form, path)).to_contain_text("Paused at")
    expect(summary(form)).to_contain_text("1 file paused")
    expect(form.get_by_role("button", name=f"Resume {path.name}")).to_be_focused()
    line.limit(0)
    press(form, "Resume", path)
    expect_stored_whole(form, path)


def test_a_cancelled_upload_leaves_nothing(
    form: Page, line: Line, site: RunningSite, tmp_path: Path
) -> None:
    path = written(tmp_path, "Cancelled.bin", 12 * MIB)
    line.limit(MIB // 4)
    send(form, path)
    wait_for_progress(form, path)
    assert len(sessions(site, path)) == 1
    press(form, "Cancel", path)
    expect(said(form)).to_contain_text(f"{path.name} was cancelled.")
    expect(row(form, path)).to_have_count(0)
    assert remembered(form) == []
    assert sessions(site, path) == []
    form.goto("/files/?q=Cancelled.bin")
    expect(form.get_by_role("heading", name="No name matches")).to_be_visible()


def test_an_upload_goes_on_after_a_reload(
    form: Page, line: Line, site: RunningSite, tmp_path: Path
) -> None:
    path = written(tmp_path, "Reloaded.bin", 24 * MIB)
    line.limit(6 * MIB)
    send(form, path)
    wait_for_progress(form, path, 0.6)
    form.reload()
    expect(row(form, path)).to_contain_text("Choose the same file again to go on.")
    (before,) = sessions(site, path)
    assert before > 0
    line.limit(0)
    sent: list[str | None] = []
    form.on(
        "request",
        lambda request: (
            sent.append(request.headers.get("upload-offset")) if request.method == "PATCH" else None
        ),
    )
    send(form, path)
    expect_stored_whole(form, path)
    # What the server had was not sent again; the last part may be a request of its own.
    assert sent[0] == str(before)
    assert sent[1:] in ([], [str(16 * MIB)])
    assert remembered(form) == []


def test_an_unfinished_upload_is_offered_to_nobody_else(
    form: Page, line: Line, sign_in: SignIn, tmp_path: Path
) -> None:
    path = written(tmp_path, "Mine alone.bin", 12 * MIB)
    line.limit(2 * MIB)
    send(form, path)
    wait_for_progress(form, path)
    # Away first: on a fast line it would be complete before anybody else could see it.
    form.goto("about:blank")
    line.limit(0)
    form.context.clear_cookies()
    sign_in(form, "mallory", to="")
    form.goto("/files/upload/", wait_until="networkidle")
    assert len(remembered(form)) == 1
    assert path.name not in form.content()
    form.context.clear_cookies()
    sign_in(form, "bob", to="/files/upload/")
    press(form, "Cancel", path)
    expect(said(form)).to_contain_text("was cancelled")
    assert remembered(form) == []


def test_an_upload_survives_a_lost_connection(form: Page, line: Line, tmp_path: Path) -> None:
    path = written(tmp_path, "Disconnected.bin", 12 * MIB)
    line.limit(2 * MIB)
    send(form, path)
    wait_for_progress(form, path)
    line.limit(0, offline=True)
    expect(row(form, path)).to_contain_text("It goes on when the connection is back.")
    line.limit(0)
    expect_stored_whole(form, path)


@pytest.mark.parametrize("status", [409, 423, 429, 500, 503])
def test_a_passing_trouble_is_tried_again(form: Page, tmp_path: Path, status: int) -> None:
    path = written(tmp_path, f"Troubled by {status}.bin", 100_000)
    form.route(
        "**/uploads/*-*",
        lambda route: (
            route.fulfill(status=status) if route.request.method == "PATCH" else route.fallback()
        ),
        times=2,
    )
    send(form, path)
    expect_stored_whole(form, path)


def test_an_ended_session_is_said_and_renewed_in_another_tab(
    form: Page, line: Line, tmp_path: Path
) -> None:
    path = written(tmp_path, "Signed out.bin", 12 * MIB)
    line.limit(2 * MIB)
    send(form, path)
    wait_for_progress(form, path)
    press(form, "Pause", path)
    line.limit(0)
    form.context.clear_cookies()
    press(form, "Resume", path)
    expect(problem(form)).to_contain_text("Sign in again in another tab")
    # It is not forgotten meanwhile.
    assert len(remembered(form)) == 1
    # Until it has asked in vain again, it could spoil the other tab's form with a fresh cookie.
    with form.expect_response(lambda answer: "/accounts/login/" in answer.url):
        press(form, "Resume", path)
    expect(problem(form)).to_contain_text("Sign in again in another tab")
    through_the_page(form.context.new_page(), "bob")
    press(form, "Resume", path)
    expect_stored_whole(form, path)


def test_a_file_over_the_limit_is_refused_before_anything_is_sent(
    form: Page, tmp_path: Path
) -> None:
    path = written(tmp_path, "Too large.bin", 1_001)
    # The form is read when the script starts: the answer itself has to say another limit.
    form.route(
        "**/files/upload/",
        lambda route: route.fulfill(
            response=(answer := route.fetch()),
            body=answer.text().replace('data-max-size="', 'data-max-size="1000" data-was="'),
        ),
    )
    form.reload()
    asked: list[str] = []
    form.on("request", lambda request: asked.append(request.url))
    fits = written(tmp_path, "Just fits.bin", 1_000)
    send(form, path, fits)
    expect(problem(form)).to_have_text("It has 1,001 bytes; a file may have 1,000 bytes at most.")
    expect_stored_whole(form, fits)
    assert len([url for url in asked if url.endswith("/uploads/")]) == 1
    press(form, "Remove", path)
    expect(row(form, path)).to_have_count(0)


def test_a_refusal_of_the_server_is_said_in_its_words(form: Page, tmp_path: Path) -> None:
    # Nothing is left of this name once it is cleaned.
    send(form, written(tmp_path, "\N{RIGHT-TO-LEFT OVERRIDE}", 10))
    expect(problem(form)).to_contain_text("rename it and try again")


def test_the_browser_complains_of_nothing(form: Page, tmp_path: Path) -> None:
    complaints: list[str] = []
    form.on("console", lambda message: complaints.append(message.text))
    form.on("pageerror", lambda error: complaints.append(str(error)))
    form.reload()
    path = written(tmp_path, "Quiet.bin", 100_000)
    send(form, path)
    expect_stored_whole(form, path)
    assert complaints == []
