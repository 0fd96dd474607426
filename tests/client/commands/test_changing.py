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
