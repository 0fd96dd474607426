"""Lists take uploads: files and whole folders are dropped on them, and what is stored is shown.

Also hundreds at once: how often a screen reader would speak, and that nothing of them is lost.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import wrong
from tests.browser.conftest import RunningSite, SignIn
from tests.browser.test_upload import (
    MIB,
    Line,
    form,
    line,
    press,
    problem,
    remembered,
    row,
    said,
    send,
    sessions,
    summary,
    wait_for_progress,
    written,
)

__all__ = ["form", "line"]
WAIT = 60_000


@pytest.fixture
def lists(page: Page, sign_in: SignIn) -> Iterator[Page]:
    """The list of bob's own files. Questions whether to leave it are answered with yes."""
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, "bob")
    yield page
    page.goto("about:blank")


def make_folder(page: Page, name: str) -> str:
    """A new folder of whoever is signed in; the page is its own then."""
    page.goto("/folders/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the folder").click()
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_url("**/folders/*-*/")
    return page.url


def drop(page: Page, *names: str, size: int = 10) -> None:
    """Files of these names and that size, let go of over the page."""
    carried = page.evaluate_handle(
        """([names, size]) => {
          const carried = new DataTransfer();
          for (const name of names) {
            carried.items.add(new File([name.padEnd(size, ".").slice(0, size)], name));
          }
          return carried;
        }""",
        [names, size],
    )
    page.dispatch_event("main", "dragover", {"dataTransfer": carried})
    page.dispatch_event("main", "drop", {"dataTransfer": carried})


def drop_paths(page: Page, *paths: Path) -> None:
    """Files and folders of this machine, let go of over the page as a file manager does."""
    cdp = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        cdp.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def rows(page: Page) -> Any:
    return page.get_by_role("rowheader")


def tree(site: RunningSite, top: str) -> list[str]:
    """The paths of all files and folders below a folder of bob's."""
    printed = site.run(
        "import json\n"
        "from files.models import Ancestry, FileRecord, Folder\n"
        "from files.tree import placing\n"
        f"top = Folder.objects.get(name={top!r}, owner__username='bob')\n"
        "inside = Folder.objects.filter(above__ancestor=top.pk)\n"
        "path = lambda folder: [one.name for one in placing.path_of(folder)[2:]]\n"
        "found = ['/'.join([*path(one), '']) for one in inside if one != top]\n"
        "files = FileRecord.objects.filter(folder__in=inside).select_related('folder')\n"
        "found += ['/'.join([*path(one.folder), one.name]) for one in files]\n"
        "print('found', json.dumps(sorted(found)))\n"
    )
    found: list[str] = json.loads(printed.split("found ", 1)[1])
    return found


def test_what_is_dropped_on_a_folder_is_stored_there_and_shown_in_its_row(lists: Page) -> None:
    make_folder(lists, "Drop here")
    loaded = lists.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    # Nothing of uploading but what waits for a drop.
    assert [
        name for name in loaded if "/js/upload/" in name or "tus" in name or "jsi18n" in name
    ] == [next(name for name in loaded if "/js/upload/entry" in name)]
    lists.evaluate("window.same = true")
    drop(lists, "Dropped, one.txt", "Dropped, two.txt")
    expect(rows(lists)).to_have_text(["Dropped, one.txt", "Dropped, two.txt"], timeout=WAIT)
    assert lists.evaluate("window.same")
    expect(summary(lists)).to_have_text("All done: 2 files stored.")
    assert remembered(lists) == []
    # Every script has the name of its content, those that others import too.
    loaded = lists.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    scripts = [name for name in loaded if "/static/" in name and name.endswith(".js")]
    assert len(scripts) > 10
    assert [name for name in scripts if not re.search(r"\.[0-9a-f]{12}\.js$", name)] == []
    lists.get_by_role("button", name="Close the list of uploads").click()
    expect(lists.get_by_role("region", name="Uploads")).to_be_hidden()
    # Once more, among one's own files.
    lists.goto("/files/")
    drop(lists, "Dropped, three.txt")
    expect(lists.get_by_role("rowheader", name="Dropped, three.txt")).to_be_visible(timeout=WAIT)
    # And on what was found.
    lists.goto("/files/?q=dropped")
    drop(lists, "Dropped, four.txt")
    expect(lists.get_by_role("rowheader", name="Dropped, four.txt")).to_be_visible(timeout=WAIT)


def test_a_folder_comes_with_all_that_is_in_it(
    lists: Page, site: RunningSite, tmp_path: Path
) -> None:
    top = tmp_path / "Case 12"
    (top / "Scans" / "May").mkdir(parents=True)
    (top / "Nothing in it").mkdir()
    for name in ("Scans/May/one.txt", "Scans/two.txt", "three.txt"):
        (top / name).write_text(name)
    # A browser hands over a hundred entries at a time.
    many = top / "Many"
    many.mkdir()
    for number in range(103):
        (many / f"{number:03}.txt").write_text(str(number))
    (tmp_path / "beside.txt").write_text("beside")
    make_folder(lists, "Trees")
    drop_paths(lists, top, tmp_path / "beside.txt")
    expect(rows(lists)).to_have_text([re.compile("Case 12"), "beside.txt"], timeout=4 * WAIT)
    assert tree(site, "Trees") == sorted(
        [
            *("Case 12/", "Case 12/Scans/", "Case 12/Scans/May/", "Case 12/Nothing in it/"),
            *("Case 12/Scans/May/one.txt", "Case 12/Scans/two.txt", "Case 12/three.txt"),
            *("Case 12/Many/", "beside.txt"),
            *(f"Case 12/Many/{number:03}.txt" for number in range(103)),
        ]
    )


def test_a_folder_is_chosen_by_keyboard_users_too(
    form: Page, site: RunningSite, tmp_path: Path
) -> None:
    top = tmp_path / "Chosen folder"
    (top / "inner").mkdir(parents=True)
    (top / "inner" / "a.txt").write_text("a")
    (top / "b.txt").write_text("b")
    form.get_by_label("A whole folder").set_input_files(top)
    expect(summary(form)).to_have_text("All done: 2 files stored.", timeout=WAIT)
    assert tree(site, "Chosen folder") == ["b.txt", "inner/", "inner/a.txt"]


def test_a_file_where_a_folder_would_be_is_said(lists: Page, tmp_path: Path) -> None:
    make_folder(lists, "Clash")
    drop(lists, "letters")
    expect(rows(lists)).to_have_text(["letters"], timeout=WAIT)
    folder = tmp_path / "Letters"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    drop_paths(lists, folder)
    expect(problem(lists)).to_contain_text("“Letters” is a file there", timeout=WAIT)
    expect(rows(lists)).to_have_text(["letters"])


# Two requests for each, and whatever else the machine has to do.
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("files", [60, pytest.param(500, marks=pytest.mark.soak)])
def test_hundreds_of_files_are_stored_and_seldom_spoken_of(
    lists: Page, site: RunningSite, record_property: Callable[[str, object], None], files: int
) -> None:
    make_folder(lists, f"Hundreds: {files}")
    lists.evaluate(
        """() => {
          window.spoken = 0;
          const live = "[role=status], [role=alert], [aria-live]";
          new MutationObserver((records) => {
            for (const { target } of records) {
              const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
              if (element?.closest(live)) { window.spoken += 1; break; }
            }
          }).observe(document.body, { subtree: true, childList: true, characterData: true });
          window.began = performance.now();
          window.long = 0;
          new PerformanceObserver((list) => {
            const found = list.getEntries().map(({ duration }) => duration);
            window.long = Math.max(window.long, ...found);
          }).observe({ type: "longtask" });
        }"""
    )
    drop(lists, *(f"file {number:03}.txt" for number in range(files)))
    expect(summary(lists)).to_contain_text(re.compile(rf"of {files} files, "), timeout=WAIT)
    expect(summary(lists)).to_have_text(f"All done: {files} files stored.", timeout=15 * WAIT)
    seconds = lists.evaluate("performance.now() - window.began") / 1000
    assert lists.evaluate("window.spoken") <= seconds / 3 + 2
    expect(said(lists)).to_have_text(f"All done: {files} files stored.")
    record_property(f"{files} files: seconds", round(seconds))
    longest = lists.evaluate("window.long")
    record_property(f"{files} files: longest task in milliseconds", round(longest))
    assert longest < 2_000
    assert len(tree(site, f"Hundreds: {files}")) == files
    assert lists.locator(".transfer").count() == 0
    # They are folded to their number.
    expect(lists.get_by_text("What was stored", exact=True)).to_be_visible()
    expect(lists.locator("#stored").get_by_role("link").first).to_be_hidden()


def test_all_are_paused_resumed_and_cancelled_at_once(
    form: Page, line: Line, site: RunningSite, tmp_path: Path
) -> None:
    files = [written(tmp_path, f"All at once {number}.bin", 6 * MIB) for number in range(5)]
    line.limit(MIB)
    send(form, *files)
    # Where it is seen, although the form is as high as the window.
    expect(summary(form)).to_be_in_viewport()
    wait_for_progress(form, files[0])
    form.get_by_role("button", name="Pause all", exact=True).click()
    expect(summary(form)).to_contain_text("5 files paused")
    expect(form.get_by_role("button", name="Resume all", exact=True)).to_be_focused()
    form.get_by_role("button", name="Resume all", exact=True).click()
    expect(form.get_by_role("button", name="Pause all", exact=True)).to_be_visible()
    expect(summary(form)).to_contain_text("0 of 5 files, ")
    form.get_by_role("button", name="Cancel all", exact=True).click()
    expect(said(form)).to_contain_text("5 uploads were cancelled.")
    expect(form.locator(".transfer")).to_have_count(0)
    expect(form.get_by_role("region", name="Uploads")).to_be_hidden()
    form.wait_for_function(
        "() => !Object.keys(localStorage).some((key) => key.startsWith('tus::'))"
    )
    line.limit(0)
    assert [sessions(site, path) for path in files] == [[]] * 5


def test_speed_and_time_left_of_all_are_right_after_a_resume(
    form: Page, line: Line, tmp_path: Path
) -> None:
    files = [written(tmp_path, f"Timed {number}.bin", 12 * MIB) for number in range(2)]
    line.limit(2 * MIB)
    send(form, *files)
    expect(summary(form)).to_contain_text("/s, ")
    form.get_by_role("button", name="Pause all", exact=True).click()
    # No speed of a time in which nothing is sent, and none that counts what was safe before.
    expect(summary(form)).not_to_contain_text("/s")
    form.get_by_role("button", name="Resume all", exact=True).click()
    expect(summary(form)).to_contain_text("/s, ")
    found = re.search(r"([\d.]+)\s(kB|MB)/s, (.*) left", summary(form).inner_text())
    assert found is not None
    assert 200 < float(found[1]) * {"kB": 1, "MB": 1024}[found[2]] < 6 * 1024
    assert re.fullmatch(r"\d+ secs?", found[3])
    form.get_by_role("button", name="Cancel all", exact=True).click()


def test_an_upload_into_a_folder_that_was_lost_is_not_taken_for_an_ended_session(
    lists: Page, sign_in: SignIn, site: RunningSite
) -> None:
    site.run(
        "from accounts.models import User\nfrom files.access.principals import Person\n"
        "from files.folders import making\nfrom files.models import Grant\n"
        "from files.tree import placing\n"
        "alice, bob = (User.objects.get(username=name) for name in ('alice', 'bob'))\n"
        "by = {'by': Person(alice), 'actor': alice}\n"
        "folder = making.create_folder(placing.root_of(alice), 'Lost soon', **by)\n"
        "Grant.objects.create(folder=folder, user=bob, level='add')\n"
    )
    lists.goto("/shared/")
    lists.get_by_role("link", name="Lost soon").click()
    lists.wait_for_url("**/folders/*-*/")
    site.run(
        "from files.models import Grant\n"
        "Grant.objects.filter(folder__name='Lost soon').update(level='download')\n"
    )
    drop(lists, "Too late.txt")
    expect(problem(lists)).to_contain_text("You may not add anything to that folder", timeout=WAIT)
    press(lists, "Cancel", Path("Too late.txt"))
    expect(row(lists, Path("Too late.txt"))).to_have_count(0)


def test_the_keyboard_is_enough_to_upload_pause_go_on_and_cancel(
    form: Page, line: Line, tmp_path: Path
) -> None:
    one, two = (written(tmp_path, f"By keyboard {n}.bin", 6 * MIB) for n in range(2))
    keys = form.keyboard

    def tab_to(name: str, *, backwards: bool = False) -> None:
        for _ in range(40):
            keys.press("Shift+Tab" if backwards else "Tab")
            said = form.evaluate(
                """() => {
                  const { activeElement: one } = document;
                  return one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent.trim()
                    ?? one.textContent.trim();
                }"""
            )
            if said == name:
                return
        raise AssertionError(f"{name} is out of reach")

    line.limit(MIB)
    # From here on no dialogue of the system's opens instead, however busy the machine is.
    form.on("filechooser", lambda _: None)
    for name in ("A whole folder", "Files"):
        tab_to(name, backwards=name == "Files")
        with form.expect_file_chooser() as chooser:
            keys.press("Space")
    chooser.value.set_files([one, two])
    wait_for_progress(form, one)
    tab_to("Pause all")
    keys.press("Space")
    expect(summary(form)).to_contain_text("2 files paused")
    expect(form.get_by_role("button", name="Resume all", exact=True)).to_be_focused()
    tab_to(f"Resume {one.name}")
    keys.press("Enter")
    expect(row(form, one)).to_have_attribute("data-state", "running")
    tab_to(f"Cancel upload of {two.name}")
    keys.press("Enter")
    expect(row(form, two)).to_have_count(0)
    # The keyboard is where it can go on, and not lost with what it was on.
    expect(form.get_by_role("button", name=f"Pause {one.name}")).to_be_focused()
    line.limit(0)
    expect(summary(form)).to_have_text("All done: 1 file stored.", timeout=WAIT)
    expect(form.get_by_role("heading", name="Uploads")).to_be_focused()


METER = """async (address) => {
  const { Meter } = await import(address);
  let now = 0;
  const meter = new Meter(() => now);
  const told = [];
  const send = (seconds, rate) => {
    for (let i = 0; i < seconds * 10; i += 1) { now += 100; meter.add(rate / 10); }
    told.push(meter.speed);
  };
  meter.begin();
  told.push(meter.speed);
  send(0.5, 1000);
  send(9.5, 1000);
  meter.rest();
  now += 3_600_000;
  told.push(meter.speed);
  meter.begin();
  send(2, 200);
  send(20, 400);
  return told;
}"""


def test_speed_is_that_of_the_last_seconds_and_knows_no_pause(form: Page) -> None:
    address = form.wait_for_function(
        """() => performance.getEntriesByType("resource").map(({ name }) => name)
          .find((name) => name.includes("/upload/meter."))"""
    ).json_value()
    told = form.evaluate(METER, address)
    assert told[:2] == [None, None]
    assert told[2] == pytest.approx(1000, rel=0.05)
    assert told[3] is None
    assert told[4] == pytest.approx(200, rel=0.05)
    assert told[5] == pytest.approx(400, rel=0.05)


def test_the_list_with_uploads_beside_it_is_accessible(lists: Page) -> None:
    line = Line(lists.context.new_cdp_session(lists))
    make_folder(lists, "Accessible")
    drop(lists, "Stored.txt")
    expect(rows(lists)).to_have_count(1, timeout=WAIT)
    line.limit(MIB // 8)
    drop(lists, "On its way.bin", "Too.bin", size=3 * MIB)
    expect(lists.locator(".transfer")).to_have_count(2)
    assert wrong(lists) == []
    lists.get_by_role("button", name="Cancel all", exact=True).click()


def test_nothing_jumps_when_files_are_dropped_and_the_list_is_refreshed(lists: Page) -> None:
    make_folder(lists, "Still")
    drop(lists, "one.txt")
    expect(rows(lists)).to_have_count(1, timeout=WAIT)
    lists.reload()
    link = lists.get_by_role("link", name="one.txt", exact=True)
    link.focus()
    places = [link.bounding_box(), lists.get_by_role("heading", level=1).bounding_box()]
    drop(lists, "two.txt")
    expect(lists.get_by_role("region", name="Uploads")).to_be_visible()
    assert link.bounding_box() == places[0]
    expect(rows(lists)).to_have_count(2, timeout=WAIT)
    expect(link).to_be_focused()
    after = [link.bounding_box(), lists.get_by_role("heading", level=1).bounding_box()]
    assert after == places


@pytest.mark.parametrize("width", [1280, 390])
def test_the_list_is_not_covered_by_the_uploads_beside_it(lists: Page, width: int) -> None:
    lists.set_viewport_size({"width": width, "height": 800})
    make_folder(lists, f"Uncovered {width}")
    drop(lists, *(f"{number}.txt" for number in range(4)))
    expect(rows(lists)).to_have_count(4, timeout=WAIT)
    panel = lists.get_by_role("region", name="Uploads")
    expect(panel).to_be_visible()
    # At the end of the page, however long the list is, each row is above it.
    covered = """(panel) => {
      scrollTo(0, document.documentElement.scrollHeight);
      const top = panel.getBoundingClientRect().top;
      return [...document.querySelectorAll("main tbody tr, main .acts:not(.transfers *)")]
        .filter((one) => one.getBoundingClientRect().bottom > top + 1).length;
    }"""
    assert panel.evaluate(covered) == 0
    # Nor does a row lose its last columns alone, wherever the page is scrolled to.
    over, table = panel.bounding_box(), lists.locator("table.files").bounding_box()
    assert over is not None
    assert table is not None
    assert over["x"] <= table["x"]
    assert over["x"] + over["width"] >= table["x"] + table["width"]
    # How many were stored is said once.
    assert panel.inner_text().count("4 files stored") == 1


def test_without_what_uploading_needs_the_page_says_so(lists: Page) -> None:
    make_folder(lists, "Broken")
    lists.route("**/jsi18n/**", lambda route: route.abort())
    drop(lists, "Lost.txt")
    expect(lists.get_by_role("alert")).to_contain_text("Uploading could not begin")
    lists.unroute("**/jsi18n/**")
    drop(lists, "Found.txt")
    expect(rows(lists)).to_have_text(["Found.txt"], timeout=WAIT)
