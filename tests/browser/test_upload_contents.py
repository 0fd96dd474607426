"""The upload page and files that only their bytes tell apart: no upload joins two of them.

Files of the same name, size and time are chosen after a reload, after a pause and in one batch, and
change on the disk under the page. What is stored is always one of them, whole, or nothing.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import RunningSite, downloaded
from tests.browser.test_upload import (
    MIB,
    WAIT,
    Line,
    form,
    line,
    press,
    problem,
    remembered,
    row,
    send,
    sessions,
    stored,
    wait_for_progress,
)

__all__ = ["form", "line"]
WHEN = 1_556_706_600
SIZE = 24 * MIB
Twins = tuple[Path, Path]


@pytest.fixture
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> Twins:
    """Two files of one name, size and time, with not a byte in common place."""
    found = []
    for folder in ("one", "two"):
        path = tmp_path / folder / f"{request.node.name}.img"
        path.parent.mkdir()
        path.write_bytes(os.urandom(SIZE))
        os.utime(path, (WHEN, WHEN))
        found.append(path)
    return found[0], found[1]


def contents(page: Page, path: Path, count: int = 1) -> list[bytes]:
    """What was stored under that name, once so many files were."""
    expect(stored(page, path)).to_have_count(count, timeout=2 * WAIT)
    found = []
    for link in stored(page, path).all():
        found.append(downloaded(page, f"{link.get_attribute('href')}download/"))
    return found


def offsets_of(page: Page) -> list[str | None]:
    """The offsets of the requests with bytes, as they are sent from now on."""
    sent: list[str | None] = []
    page.on(
        "request",
        lambda request: (
            sent.append(request.headers.get("upload-offset")) if request.method == "PATCH" else None
        ),
    )
    return sent


def interrupt(page: Page, line: Line, path: Path) -> None:
    """Half of it is on the server when the page is gone."""
    line.limit(3 * MIB)
    send(page, path)
    wait_for_progress(page, path, 0.7)
    page.reload()
    expect(row(page, path)).to_contain_text("Choose the same file again to go on.", timeout=WAIT)
    line.limit(0)


def overwrite(path: Path, by: Path, *, when: int = WHEN) -> None:
    """In its place on the disk, and with that time."""
    with path.open("r+b") as file:
        file.write(by.read_bytes())
    os.utime(path, (when, when))


def test_after_a_reload_another_file_begins_anew_and_says_so(
    form: Page, line: Line, site: RunningSite, twins: Twins
) -> None:
    one, two = twins
    interrupt(form, line, one)
    (safe,) = sessions(site, one)
    assert safe > 0
    sent = offsets_of(form)
    send(form, two)
    assert contents(form, two) == [two.read_bytes()]
    assert sent[0] == "0"
    said = form.locator("#stored li")
    expect(said).to_contain_text("Another file of this name and size was left unfinished")
    expect(said).to_contain_text("uploaded from its beginning")
    # The first one is still there to be gone on with, and goes on by itself.
    assert sessions(site, one) == [safe]
    sent.clear()
    send(form, one)
    assert contents(form, one, 2)[1] == one.read_bytes()
    assert sent[0] == str(safe)
    expect(row(form, one)).to_have_count(0)
    assert remembered(form) == []


def test_files_of_one_name_size_and_time_in_one_batch_are_all_stored(
    form: Page, twins: Twins
) -> None:
    one, two = twins
    send(form, one, two)
    assert sorted(contents(form, one, 2)) == sorted(each.read_bytes() for each in twins)
    assert remembered(form) == []


def test_of_a_batch_that_was_interrupted_each_goes_on_with_its_own(
    form: Page, line: Line, site: RunningSite, twins: Twins
) -> None:
    one, two = twins
    line.limit(4 * MIB)
    send(form, one, two)
    form.wait_for_function(
        "() => { const bars = [...document.querySelectorAll('.transfer progress')];"
        " return bars.length === 2 && bars.every((bar) => bar.value / bar.max > 0.6); }",
        timeout=2 * WAIT,
    )
    form.reload()
    expect(row(form, one)).to_have_count(2, timeout=WAIT)
    line.limit(0)
    safe = {str(offset) for offset in sessions(site, one)}
    sent = offsets_of(form)
    send(form, two, one)
    assert sorted(contents(form, one, 2)) == sorted(each.read_bytes() for each in twins)
    assert safe <= set(sent)
    assert remembered(form) == []


def test_cancelling_one_of_two_leaves_the_other(form: Page, line: Line, twins: Twins) -> None:
    one, two = twins
    line.limit(2 * MIB)
    send(form, one, two)
    expect(row(form, one)).to_have_count(2)
    form.wait_for_function("() => Object.keys(localStorage).length >= 2", timeout=WAIT)
    row(form, one).first.get_by_role("button", name=re.compile("Cancel")).click()
    expect(row(form, one)).to_have_count(1)
    line.limit(0)
    assert contents(form, one) == [two.read_bytes()]
    assert remembered(form) == []


def test_a_file_that_was_another_when_it_was_paused_begins_anew(
    form: Page, line: Line, twins: Twins
) -> None:
    one, two = twins
    line.limit(3 * MIB)
    send(form, one)
    wait_for_progress(form, one, 0.6)
    press(form, "Pause", one)
    expect(row(form, one)).to_contain_text("Paused at")
    overwrite(one, two)
    line.limit(0)
    press(form, "Resume", one)
    assert contents(form, one) == [two.read_bytes()]
    expect(form.locator("#stored li")).to_contain_text("uploaded from its beginning")


def test_a_file_that_changes_while_it_is_sent_is_never_stored_half_and_half(
    form: Page, line: Line, twins: Twins
) -> None:
    one, two = twins
    line.limit(3 * MIB)
    send(form, one)
    wait_for_progress(form, one, 0.4)
    overwrite(one, two)
    line.limit(0)
    # What is safe by then is of another content than the file has now: all of it is sent again.
    assert contents(form, one) == [two.read_bytes()]
    expect(form.locator("#stored li")).to_contain_text("is not the one that this upload was begun")


def test_a_file_whose_end_changes_while_it_is_sent_is_not_stored(
    form: Page, line: Line, site: RunningSite, twins: Twins
) -> None:
    """The last request says what the whole file is: it was read before, ahead of what is sent."""
    one, _ = twins
    line.limit(3 * MIB)
    send(form, one)
    wait_for_progress(form, one, 0.4)
    with one.open("r+b") as file:
        file.seek(SIZE - MIB)
        file.write(os.urandom(MIB))
    os.utime(one, (WHEN, WHEN))
    line.limit(0)
    alert = problem(form)
    expect(alert).to_contain_text("changed while it was uploaded", timeout=2 * WAIT)
    expect(alert).to_contain_text("Nothing of it was stored")
    expect(stored(form, one)).to_have_count(0)
    assert sessions(site, one) == []
    assert remembered(form) == []
    press(form, "Resume", one)
    assert contents(form, one) == [one.read_bytes()]


def test_a_file_that_the_browser_refuses_to_read_is_said_and_chosen_again(
    form: Page, line: Line, twins: Twins
) -> None:
    """Only its time is another: the bytes are the same, and the upload goes on with them."""
    one, _ = twins
    line.limit(3 * MIB)
    send(form, one)
    wait_for_progress(form, one, 0.6)
    press(form, "Pause", one)
    os.utime(one, (WHEN + 100, WHEN + 100))
    line.limit(0)
    press(form, "Resume", one)
    alert = problem(form)
    expect(alert).to_contain_text("changed, moved or deleted after it was chosen")
    expect(alert).to_contain_text("Choose it again")
    sent = offsets_of(form)
    send(form, one)
    assert contents(form, one) == [one.read_bytes()]
    assert sent[0] != "0"
    expect(row(form, one)).to_have_count(0)


def test_a_paused_file_that_is_chosen_again_goes_on_and_is_stored_once(
    form: Page, line: Line, twins: Twins
) -> None:
    one, two = twins
    line.limit(3 * MIB)
    send(form, one)
    wait_for_progress(form, one, 0.6)
    press(form, "Pause", one)
    line.limit(0)
    sent = offsets_of(form)
    send(form, two)
    assert contents(form, two) == [two.read_bytes()]
    expect(row(form, one)).to_contain_text("Paused at")
    assert sent[0] == "0"
    sent.clear()
    send(form, one)
    assert contents(form, one, 2)[1] == one.read_bytes()
    assert sent[0] != "0"
    expect(row(form, one)).to_have_count(0)


def test_without_webcrypto_an_upload_goes_on_within_one_choice_alone(
    form: Page, line: Line, twins: Twins
) -> None:
    one, _ = twins
    form.add_init_script("Object.defineProperty(Crypto.prototype, 'subtle', {value: null})")
    form.reload()
    sent = offsets_of(form)
    interrupt(form, line, one)
    sent.clear()
    line.limit(4 * MIB)
    send(form, one)
    expect(row(form, one).last).to_contain_text("over HTTPS alone")
    wait_for_progress_of_second(form)
    press_first(form, "Pause")
    line.limit(0)
    press_first(form, "Resume")
    assert contents(form, one) == [one.read_bytes()]
    assert sent[0] == "0"
    expect(form.locator("#stored li")).to_contain_text("uploaded from its beginning")


def wait_for_progress_of_second(page: Page) -> None:
    page.wait_for_function(
        "() => { const bar = document.querySelector('.transfer[data-state=running] progress');"
        " return bar && bar.value / bar.max > 0.3; }",
        timeout=WAIT,
    )


def press_first(page: Page, action: str) -> None:
    page.get_by_role("button", name=re.compile(f"^{action} ")).first.click()


SPEED = re.compile(r"([\d.,]+)\s(kB|MB|GB)/s")


def test_the_speed_after_a_resume_is_that_of_what_is_sent(
    form: Page, line: Line, twins: Twins
) -> None:
    """What was safe before was not sent in the first second."""
    one, _ = twins
    interrupt(form, line, one)
    line.limit(MIB)
    send(form, one)
    # The offer is withdrawn once the two were compared.
    expect(row(form, one)).to_have_count(1, timeout=WAIT)
    expect(row(form, one)).to_contain_text("/s, ", timeout=WAIT)
    found = SPEED.search(row(form, one).inner_text())
    assert found is not None
    speed = float(found[1].replace(",", "")) * {"kB": 1 << 10, "MB": MIB, "GB": 1 << 30}[found[2]]
    assert speed < 4 * MIB
    line.limit(0)
    assert contents(form, one) == [one.read_bytes()]


def test_the_time_of_modification_travels_with_the_file(form: Page, tmp_path: Path) -> None:
    path = tmp_path / "Old.txt"
    path.write_bytes(b"old")
    os.utime(path, (WHEN, WHEN))
    send(form, path)
    contents(form, path)
    answer = form.request.head(f"{stored(form, path).get_attribute('href')}download/")
    assert answer.headers["last-modified"] == "Wed, 01 May 2019 10:30:00 GMT"
