"""`ls`, `tree`, `find`, `history`."""

from __future__ import annotations

import json

import pytest

from tests.client.conftest import Run
from tests.client.small_site import SmallSite


def test_a_listing(run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(60):
        small_site.add(f"Cases/{number:03}.txt", b"x" * number)
    small_site.add("Cases/inner", None)
    assert run("ls", "Cases") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 61, "all pages of it"
    assert lines[0].endswith("  inner/")
    assert run("ls", "Cases", "--json") == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert [item["name"] for item in items][:2] == ["inner", "000.txt"]


def test_a_name_cannot_move_the_cursor(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("evil\x1b[2J\r.txt", b"")
    assert run("ls") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_tree_and_a_search(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Cases/12/Offer one.pdf", b"x")
    assert run("tree", "--json") == 0
    told = json.loads(capsys.readouterr().out)["items"]
    assert [item["path"] for item in told] == ["Cases", "Cases/12", "Cases/12/Offer one.pdf"]
    assert run("tree", "--depth", "1") == 0
    assert capsys.readouterr().out == "Cases/\n"
    assert run("find", "offer", "ONE") == 0
    assert "Offer one.pdf" in capsys.readouterr().out
    assert run("find", "nothing") == 5


def test_a_history_is_of_a_file(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Cases", None)
    assert run("history", "Cases") == 2
    assert "Cases is a folder" in capsys.readouterr().err
