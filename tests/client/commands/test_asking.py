"""`requests`: all that one made."""

from __future__ import annotations

import pytest

from tests.client.conftest import Run
from tests.client.small_site import SmallSite


def test_all_requests_that_one_made(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    terms = {"title": "Papers", "ended_at": None, "expires_at": "2027-01-01", "files": 2}
    small_site.requests = [{"id": 7, "waiting": 1, **terms}]
    assert run("requests") == 0
    assert capsys.readouterr().out == "7  Papers  until 2027-01-01  2 files, 1 waiting\n"
