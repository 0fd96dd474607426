"""Standard input, whatever its length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.conftest import MIB, Run, content
from tests.client.small_site import SmallSite


@pytest.mark.parametrize("size", [0, 10, MIB - 1, MIB, 2 * MIB + 9])
def test_standard_input(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = at_home / "stream"
    path.write_bytes(content(size))
    small_site.cuts = [5000, 70_000] if size > MIB else []
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("In", (), {"buffer": file}))
        assert run("put", "-", "--name", "dump.sql", "--to", "Backups") == 0
    assert small_site.content("Backups/dump.sql") == content(size)
