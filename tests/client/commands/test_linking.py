"""`links`: those of one thing, and all that one made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.client.conftest import Run
from tests.client.small_site import SmallSite


def link(number: int, folder_id: str) -> dict[str, Any]:
    terms = {"count": None, "used": 0, "label": f"no. {number}", "expires_at": "2027-01-01"}
    return {"id": number, "status": "live", "folder_id": folder_id, **terms}


def told(out: str) -> list[int]:
    return [one["id"] for one in json.loads(out)["items"]]


def test_links_of_one_folder_and_all_that_one_made(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_site.add("Cases", None).id
    small_site.links = [link(n, folder if n % 2 else "other") for n in range(1, 6)]
    assert run("links", "--json") == 0
    assert told(capsys.readouterr().out) == [5, 4, 3, 2, 1]
    assert run("links", "Cases", "--json") == 0
    assert told(capsys.readouterr().out) == [5, 3, 1]
    assert run("links") == 0
    assert "3  live  until 2027-01-01  0 downloads  no. 3" in capsys.readouterr().out


@pytest.mark.parametrize("lost", [1, 2])
def test_a_link_whose_address_was_lost_is_ended_and_another_one_made(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str], lost: int
) -> None:
    """A replay has no address: nobody would know the link, and it would stay."""
    small_site.add("Cases", None)
    small_site.lose_answers, small_site.lose_answers_to = lost, "/links"
    assert run("link", "Cases", "--quiet") == 0
    assert [one["status"] for one in small_site.links] == ["revoked", "live"]
    assert capsys.readouterr().out == "/l/2\n"


def test_a_link_whose_address_is_never_told_is_none(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Cases", None)
    small_site.tells_addresses = False
    assert run("link", "Cases") == 8
    assert [one["status"] for one in small_site.links] == ["revoked"] * 3
    assert "lost again and again" in capsys.readouterr().err
