"""Files whose key their owner keeps, as people meet them: upload, save the key, enter it, download.

What the browser remembers (history, storage, form entries) is searched for keys at the end.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.browser.conftest import SignIn
from tests.browser.test_pages import submit

PASSPHRASE = "violet tractor mumbles sixteen"
KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


def written(folder: Path, name: str, size: int = 300_000) -> Path:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


def keep_the_key(page: Page) -> None:
    page.goto("/files/upload/", wait_until="networkidle")
    page.get_by_text("Who keeps the key:").click()
    page.get_by_label("I keep it", exact=True).check()


def send_held(page: Page, *files: Path, scripted: bool = True) -> None:
    """With scripts choosing them is all that it takes."""
    keep_the_key(page)
    page.get_by_label("Files", exact=True).set_input_files(files)
    if not scripted:
        submit(page)


def shown_keys(page: Page) -> list[str]:
    page.locator("[data-key]").first.wait_for(timeout=30_000)
    return [text for text in page.locator("[data-key]").all_inner_texts() if KEY.fullmatch(text)]


def find(page: Page, name: str) -> None:
    page.goto("/files/")
    page.get_by_label("Search files by name").fill(name.split(".", maxsplit=1)[0])
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=name, exact=True).click()


def fetched(page: Page) -> bytes:
    with page.expect_download() as started:
        page.get_by_role("link", name=re.compile("^Download")).click()
    return started.value.path().read_bytes()


@pytest.fixture
def remembered(page: Page) -> Callable[[], str]:
    """What scripts of the site could find in this browser, and the addresses that it was at."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))

    def everything() -> str:
        stores = page.evaluate(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, history.state,"
            " document.cookie, location.href])"
        )
        return "\n".join([stores, *seen])

    return everything


def test_search_enter_the_key_download(
    page: Page, sign_in: SignIn, tmp_path: Path, remembered: Callable[[], str]
) -> None:
    """The walk that the first design described, with all that was added."""
    original = written(tmp_path, "walk-report.pdf")
    page.context.grant_permissions(["clipboard-write"])
    sign_in(page, "alice", to="")
    send_held(page, original)
    [key] = shown_keys(page)

    # Copied, and saved as a file.
    page.get_by_role("button", name="Copy the key of walk-report.pdf").click()
    expect(page.get_by_role("button", name=re.compile("^Copied"))).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as .key file of walk-report.pdf").click()
    assert started.value.suggested_filename == "walk-report.pdf.key"
    assert started.value.path().read_text() == f"{key}\n"

    # To leave now is asked about.
    with page.expect_event("dialog", lambda dialog: dialog.type == "beforeunload") as asked:
        page.on("dialog", lambda dialog: dialog.dismiss())
        page.evaluate("setTimeout(() => location.assign('/files/'))")
    assert asked.value
    page.get_by_label("I have saved every key above in a safe place.").check()
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#new-keys")).to_be_hidden()

    find(page, original.name)
    expect(page.get_by_role("link", name=re.compile("^Download"))).to_have_count(0)
    wrong = key.swapcase()
    page.get_by_label("Key of this file").fill(wrong)
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong key")
    expect(page.get_by_label("Key of this file")).to_be_focused()
    page.get_by_label("Key of this file").press("Control+V")
    assert inputs(page)[-1] == key
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_text("Unlocked in this browser until")).to_be_visible()
    assert fetched(page) == original.read_bytes()

    for secret in (key, wrong):
        assert secret not in remembered()
        assert secret not in page.content()
    # The page before is the answer to the wrong key: it was not kept to be gone back to.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()


def inputs(page: Page) -> list[str]:
    """What stands in the fields of the page."""
    found: list[str] = page.locator("input").evaluate_all("all => all.map((one) => one.value)")
    return found


@pytest.mark.parametrize("javascript", [True, False])
def test_the_file_of_a_key_is_named_by_the_rule_of_names(
    request: pytest.FixtureRequest, sign_in: SignIn, tmp_path: Path, *, javascript: bool
) -> None:
    """Saved by the script or by the server, it has the same name, on any system."""
    page: Page = request.getfixturevalue("page" if javascript else "plain")
    sign_in(page, "alice", to="")
    files = [written(tmp_path, 'con "50%" a*b?.txt'), written(tmp_path, "é" * 127)]
    send_held(page, *files, scripted=javascript)
    page.locator("[data-key]").nth(1).wait_for(timeout=30_000)
    saved = set()
    for button in page.get_by_role("button", name=re.compile("^Download as .key file")).all():
        with page.expect_download() as started:
            button.click()
        # Of the other run of this test there are files of the same names.
        saved.add(re.sub(r" \(\d+\)", "", started.value.suggested_filename))
    # With a number the long one is cut for it, too.
    assert saved in [{"con _50%_ a_b_.txt.key", "é" * n + ".key"} for n in (125, 123)]


def test_the_keys_of_several_files_are_saved_in_one_go(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    files = [written(tmp_path, f"one-go-{number}.bin") for number in range(3)]
    page.context.grant_permissions(["clipboard-write"])
    sign_in(page, "alice", to="")
    send_held(page, *files)
    page.locator("[data-key]").nth(2).wait_for(timeout=30_000)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download all keys as one file").click()
    assert started.value.suggested_filename == "securestore.keys"
    saved = started.value.path().read_text()
    lines = [line.split("\t") for line in saved.splitlines()]
    assert sorted(name for name, _, _ in lines) == sorted(path.name for path in files)
    for name, file_id, key in lines:
        item = page.locator(f'.key[data-file="{file_id}"]')
        expect(item.locator("[data-key]")).to_have_text(key)
        expect(item.locator(".name")).to_have_text(name)
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.get_by_label("I have saved every key above in a safe place.").check()
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#new-keys")).to_be_hidden()
    _, file_id, key = lines[0]
    page.goto(f"/files/{file_id}/")
    expect(page.get_by_text("Nobody has confirmed")).to_have_count(0)


def test_a_lost_answer_costs_no_key(page: Page, sign_in: SignIn, tmp_path: Path) -> None:
    original = written(tmp_path, "lost-answer.bin")
    sign_in(page, "alice", to="")
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if route.request.method != "PATCH" or lost:
            return route.continue_()
        answer = route.fetch()
        lost.append(answer.headers["securestore-key"])
        return route.abort("connectionreset")

    page.route("**/uploads/*", lose_the_first)
    send_held(page, original)
    assert shown_keys(page) == lost


def test_a_passphrase_instead_of_a_key(page: Page, sign_in: SignIn, tmp_path: Path) -> None:
    original = written(tmp_path, "passphrase.bin")
    sign_in(page, "bob", to="")
    keep_the_key(page)
    first = page.get_by_label("Passphrase instead of a key")
    again = page.get_by_label("The same passphrase again")
    first.fill("password1234")
    again.fill("password1234")
    page.get_by_label("Files", exact=True).set_input_files(original)
    page.wait_for_function("() => document.querySelector('[name=passphrase]').validationMessage")
    assert "Too easy to guess" in first.evaluate("field => field.validationMessage")
    first.fill(PASSPHRASE)
    again.fill(PASSPHRASE)
    # It has waited.
    page.get_by_role("button", name="Encrypt and store").click()
    expect(page.locator("#stored")).to_contain_text("with your passphrase", timeout=30_000)
    assert page.locator("[data-key]").count() == 0
    assert inputs(page).count(PASSPHRASE) == 0

    find(page, original.name)
    page.get_by_label("Passphrase of this file").fill(PASSPHRASE)
    page.get_by_role("button", name="Unlock").click()
    assert fetched(page) == original.read_bytes()
    page.get_by_text("Technical details").click()
    page.get_by_role("link", name="Encrypt anew").click()
    page.get_by_label("Passphrase of this file").fill(PASSPHRASE)
    page.get_by_role("button", name="Encrypt anew").click()
    expect(page.get_by_role("status")).to_contain_text("encrypted anew")
    assert fetched(page) == original.read_bytes()


def test_without_javascript(plain: Page, sign_in: SignIn, tmp_path: Path) -> None:
    originals = [written(tmp_path, f"plain-{number}.bin") for number in range(2)]
    page = plain
    sign_in(page, "alice", to="")
    send_held(page, *originals, scripted=False)
    expect(page.get_by_role("heading", name="Your files are stored")).to_be_visible()
    keys = shown_keys(page)
    assert len(set(keys)) == 2
    assert page.get_by_role("button", name=re.compile("^Copy")).count() == 0
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as .key file of plain-0.bin").click()
    assert started.value.path().read_text() == f"{keys[0]}\n"
    with page.expect_download() as started:
        page.get_by_role("button", name="Download all keys as one file").click()
    lines = [line.split("\t") for line in started.value.path().read_text().splitlines()]
    assert {name: key for name, _, key in lines} == {f"plain-{n}.bin": keys[n] for n in range(2)}
    # Left without a confirmation: the page of the file says so, and shows the key once more.
    find(page, "plain-1.bin")
    page.get_by_role("link", name="Show the key, save it, and confirm").click()
    assert shown_keys(page) == [keys[1]]
    page.get_by_label("I have saved this key in a safe place.").check()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Nobody has confirmed")).to_have_count(0)
    page.get_by_label("Key of this file").fill(keys[1])
    page.get_by_role("button", name="Unlock").click()
    assert fetched(page) == originals[1].read_bytes()


def test_a_download_that_asked_for_the_key_goes_on_with_it(
    page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in(page, "bob", to="")
    path = written(tmp_path, "Asked on the way.bin")
    send_held(page, path)
    [key] = shown_keys(page)
    address = page.locator("#stored a").get_attribute("href")
    page.goto(f"{address}download/")
    page.get_by_label("Key of this file").fill(key[::-1])
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Key of this file").fill(key)
    with page.expect_download() as started:
        page.get_by_role("button", name="Unlock").click()
    assert started.value.path().read_bytes() == path.read_bytes()
