"""Bytes in order: all of them, and compared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client.conftest import Run, content
from tests.client.small_site import SmallSite


def test_standard_output_is_compared_too(
    run: Run, small_site: SmallSite, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    small_site.add("a.bin", content(300_000))
    small_site.add("b.bin", content(300, seed=1))
    small_site.cuts = [70_000]
    assert run("cat", "a.bin", "b.bin") == 0
    assert capfdbinary.readouterr().out == content(300_000) + content(300, seed=1)
    small_site.spoil = True
    assert run("cat", "b.bin") == 7


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="no full disk")
def test_a_disk_that_is_full_is_no_broken_connection(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("a.bin", content(5000))
    (at_home / ".a.bin.securestore").symlink_to("/dev/full")
    assert run("get", "a.bin") == 1
    assert "cannot be written here" in capsys.readouterr().err
    assert small_site.count("GET") <= 3
