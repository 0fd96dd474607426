"""Every page in every state: axe finds nothing, nothing moves or is cut, in every theme and width.

The pages are those of the URL configuration, by the table in `pages.py`; those of the
administration have a walk of their own (`test_administration.py`). The walk takes the
pictures of the gallery, too (`gallery.py`).

Of each page one state is seen in every theme and width; its other states, by turns, wide and light,
or in forced colours and narrow and dark. `make soak` sees each state in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import gallery, test_administration
from tests.browser.accessibility import (
    IN_TURN,
    LOOKS,
    NARROW,
    PIECES,
    WIDE,
    Look,
    make_ready,
    moves,
    note_shifts,
    show,
    wrong,
)
from tests.browser.conftest import RunningSite
from tests.browser.measuring import PAGE, note_paint, weigh
from tests.browser.pages import (
    FACTORS,
    NO_PAGE,
    NOBODY,
    OWNER,
    PAGES,
    PEOPLE,
    State,
    World,
    entered,
    states,
    world_of,
)
from tests.files.doors import ROUTES, address
from tests.letters import letters

LISTS = ("files:list", "folders:detail", "shared", "recent", "trash")
EXTENT = pytest.mark.parametrize(
    "whole", [pytest.param(False, id="in turn"), pytest.param(True, marks=pytest.mark.soak)]
)
"""Whether each state is seen in every theme and width, or one of each page, and others by turns."""

HEAVIEST_LIST = 80
"""Kilobytes of a list, with all that it loads."""


@pytest.fixture(scope="module")
def world(site: RunningSite) -> World:
    return world_of(site)


@pytest.fixture
def profile(browser: Browser, site: RunningSite) -> Iterator[Callable[[str], BrowserContext]]:
    """A fresh profile for somebody; pages note what moves, and what the policy blocks fails."""
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(who: str) -> BrowserContext:
        # Passkeys need a name.
        base = site.url.replace("127.0.0.1", "localhost") if who == FACTORS else site.url
        context = browser.new_context(base_url=base, locale="en-GB", timezone_id="UTC")
        context.set_default_timeout(60_000)
        note_shifts(context)
        note_paint(context)
        context.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if "Content Security Policy" in message.text
                else None
            ),
        )
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        opened.append(context)
        return context

    yield open_
    for context in opened:
        context.close()
    assert not complaints, complaints


def test_the_table_has_every_path_once() -> None:
    outside = {name for name in ROUTES if not name.startswith(("admin", "api:"))}
    assert {*PAGES, *NO_PAGE} == outside
    assert not {*PAGES} & {*NO_PAGE}
    assert {state.who for all_of_it in PAGES.values() for state in all_of_it} == {NOBODY, *PEOPLE}


def test_what_is_said_to_be_no_page_shows_none(
    profile: Callable[[str], BrowserContext], world: World
) -> None:
    page = entered(profile(OWNER), OWNER, world)
    wrong = []
    for name in NO_PAGE.keys() - {"files:viewer"}:
        answer = page.request.get(address(name, world["file"]), max_redirects=0)
        if answer.ok and "html" in answer.headers.get("content-type", ""):
            wrong.append(name)
    assert wrong == []


def looks_at(number: int, turn: int, *, whole: bool) -> Sequence[Look]:
    """The themes and widths that a state is seen in: `number` is its place among those of its page,
    `turn` that in the walk."""
    return LOOKS if whole or number == 0 else IN_TURN[turn % len(IN_TURN)]


def walk(
    who: str,
    profile: Callable[[str], BrowserContext],
    world: World,
    record_property: Callable[[str, object], None],
    *,
    whole: bool,
) -> str:
    """Look at all that somebody meets; what is wrong with it, a line for each."""
    page = entered(profile(who), who, world)
    found: list[str] = []
    for turn, (name, number, state) in enumerate(states(who)):
        label = state.picture or f"{name} {number}"
        looks = looks_at(number, turn, whole=whole)
        make_ready(page, WIDE, "light")
        if who == NOBODY:
            page.context.clear_cookies()
        try:
            state.open(page, world)
            found += [f"{label}: {one}" for one in arrived(page, state, name, record_property)]
            if state.act:
                state.act(page, world)
            found += [f"{label}: {one}" for one in looked_at(page, state, looks)]
        except Exception as error:  # The others are to be looked at, too.
            found.append(f"{label} is not reached: {error}")
    return "\n".join(found)


# A hundred pages: on a busy machine more than five minutes.
@pytest.mark.timeout(1100)
@EXTENT
def test_every_page_is_clean_and_stays(
    profile: Callable[[str], BrowserContext],
    world: World,
    record_property: Callable[[str, object], None],
    whole: bool,
) -> None:
    """For who owns; all others: `test_every_page_of_others.py`, which runs beside this."""
    assert walk(OWNER, profile, world, record_property, whole=whole) == ""


def test_each_page_is_seen_in_every_theme_and_width_and_each_state_by_all_rules() -> None:
    """A run leaves out themes of one more state, and of none the rules that no colour breaks."""
    seen: dict[str, set[Look]] = {name: set() for name in PAGES}
    left_out = 0
    for who in (NOBODY, *PEOPLE):
        for turn, (name, number, _) in enumerate(states(who)):
            looks = looks_at(number, turn, whole=False)
            seen[name].update(looks)
            left_out += len(LOOKS) - len(looks)
            assert any(theme != "forced" for _, theme in looks), (name, number)
            assert looks_at(number, turn, whole=True) == LOOKS
    assert [name for name, looks in seen.items() if looks != {*LOOKS}] == []
    assert 0 < left_out < sum(map(len, PAGES.values()))


def test_the_gallery_shows_every_picture() -> None:
    known = {state.picture for all_of_it in PAGES.values() for state in all_of_it}
    known |= {*test_administration.PICTURES.values()}
    known |= {f"mail-{letter.name}" for letter in letters()}
    assert {*gallery.named()} <= known
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.written()


def test_tables_are_tables_where_they_are_narrow(
    profile: Callable[[str], BrowserContext], world: World
) -> None:
    """What reads a page out is told of rows and heads there, too, although each row is a card."""
    page = entered(profile(OWNER), OWNER, world)
    show(page, NARROW, "light")
    for path in ("/files/", "/trash/", "/files/{file}/history/", "/accounts/sessions/"):
        page.goto(path.format_map(world))
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
        roles = {node["role"]["value"] for node in tree["nodes"] if not node["ignored"]}
        assert roles >= {"table", "row", "cell", "columnheader", "rowheader"}, path


def arrived(
    page: Page, state: State, name: str, record_property: Callable[[str, object], None]
) -> Iterator[str]:
    """What is wrong with how a page comes: whether it moves, and of a list what it weighs."""
    weight = weigh(page)
    yield from moves(page)
    page.evaluate("window.arrived = true")
    if state.act is None:
        record_property(f"{PAGE}{state.picture or state.path}", weight.as_property())
        if name in LISTS and weight.kilobytes > HEAVIEST_LIST:
            yield f"weighs {weight.kilobytes} kB"


def looked_at(page: Page, state: State, looks: Sequence[Look]) -> Iterator[str]:
    """What is wrong with a state that was reached; in its pictures it is as it was reached."""
    if not page.evaluate("window.arrived"):  # What was done led to another page.
        yield from moves(page, allowed=PIECES)
    if state.picture:
        gallery.take(
            page, state.picture
        )  # Before forced colours, of which lines of tables keep some.
    yield from wrong(page, looks)
    if state.act is None and looks[-1][0] == NARROW:
        page.reload()  # Narrow, as it was seen last.
        yield from (f"{NARROW}: {one}" for one in moves(page))
