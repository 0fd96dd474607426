"""`mv`, `rm`, `restore`."""

from __future__ import annotations

import json

import pytest

from tests.client.conftest import Run
from tests.client.small_site import SmallSite


def test_moving_and_renaming(run: Run, small_site: SmallSite) -> None:
    small_site.add("a.txt", b"a")
    small_site.add("b.txt", b"b")
    small_site.add("Cases", None)
    assert run("mv", "a.txt", "c.txt") == 0
    assert run("mv", "c.txt", "b.txt", "Cases") == 0
    assert small_site.content("Cases/c.txt") == b"a"
    assert run("mv", "Cases/c.txt", "d.txt") == 0
    assert small_site.content("d.txt") == b"a"
    assert run("mv", "d.txt", "Cases/b.txt") == 6
    assert run("mv", "d.txt", "Nowhere/") == 5
    assert run("mv", "d.txt") == 2, "where to?"


def test_the_trash_and_back(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("a.txt", b"a")
    small_site.add("Cases/b.txt", b"b")
    put_away = small_site.at("Cases")
    assert put_away is not None
    assert run("rm", "a.txt") == 0
    assert run("rm", "Cases") == 2, "a folder is asked for by name"
    assert run("rm", "-r", "Cases") == 0
    assert small_site.at("Cases") is None
    assert run("restore", "a.txt") == 0
    assert small_site.content("a.txt") == b"a"
    assert run("restore", "a.txt") == 5
    assert run("restore", f"id:{put_away.id}") == 0
    assert small_site.content("Cases/b.txt") == b"b"
    capsys.readouterr()
    assert run("ls", "--trash", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"items": []}


@pytest.mark.parametrize(
    ("words", "lost", "there"),
    [
        (("mkdir", "Cases/New"), "/paths", "Cases/New"),
        (("mv", "a.txt", "c.txt"), "", "c.txt"),
        (("mv", "a.txt", "Cases"), "/move", "Cases/a.txt"),
        (("rm", "a.txt"), "", None),
        (("rm", "-r", "Cases"), "", None),
        (("restore", "gone.txt"), "/restore", "gone.txt"),
    ],
)
def test_what_was_done_and_not_told_is_no_failure(
    run: Run, small_site: SmallSite, words: tuple[str, ...], lost: str, there: str | None
) -> None:
    """It is asked for again, and answered as the first time: not that nothing is there."""
    small_site.add("a.txt", b"a")
    small_site.add("Cases", None)
    small_site.add("gone.txt", b"g", trashed=True)
    small_site.lose_answers, small_site.lose_answers_to = 1, lost
    assert run(*words) == 0
    assert small_site.lose_answers == 0
    if there is None:
        assert small_site.at(words[-1]) is None
    else:
        assert small_site.at(there) is not None
