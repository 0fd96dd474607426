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
