"""`versions`: what a file was, and one of them current again."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.client.conftest import Run
from tests.client.small_site import SmallSite

FORMER = [str(uuid.UUID(int=number)) for number in (1, 2)]


def test_listed_and_restored(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_site.add("Cases/a.txt", b"now")
    small_site.former[made.id] = list(FORMER)
    assert run("versions", "Cases/a.txt", "--json") == 0
    found = json.loads(capsys.readouterr().out)["items"]
    assert [one["version"] for one in found] == FORMER
    assert run("versions", "Cases/a.txt") == 0
    assert FORMER[0] in capsys.readouterr().out
    assert run("versions", "Cases/a.txt", "--restore", FORMER[1].upper()) == 0
    assert f"restored  Cases/a.txt  {FORMER[1]}" in capsys.readouterr().out
    assert small_site.former[made.id] == FORMER[:1]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("Cases",), 2),
        (("Cases/none.txt",), 5),
        (("Cases/a.txt", "--restore", "../../../me/token"), 2),
        (("Cases/a.txt", "--restore", str(uuid.UUID(int=9))), 5),
    ],
)
def test_refused(run: Run, small_site: SmallSite, words: tuple[str, ...], code: int) -> None:
    small_site.add("Cases/a.txt", b"now")
    assert run("versions", *words) == code
