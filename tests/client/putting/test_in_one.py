"""A small file in one request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.conftest import Run, content
from tests.client.small_site import SmallSite


@pytest.mark.parametrize("size", [0, 1, 4096, 262_144, 262_145, 900_000])
def test_a_small_file_goes_in_one_request(
    run: Run, small_site: SmallSite, at_home: Path, size: int
) -> None:
    (at_home / "a.bin").write_bytes(content(size))
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(size)
    assert small_site.count("PUT") == 1


def test_a_busy_site_is_waited_for(run: Run, small_site: SmallSite, at_home: Path) -> None:
    (at_home / "a.txt").write_text("a")
    small_site.refuse = [(503, {}), (429, {"Retry_After": "0"})]
    assert run("put", "a.txt") == 0
    assert small_site.content("a.txt") == b"a"


def test_what_arrives_as_something_else_is_told(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "a.bin").write_bytes(content(5000))
    small_site.spoil = True
    assert run("put", "a.bin") == 7
    assert "not what was sent" in capsys.readouterr().err
