"""Downloads: nothing is ever under its own name that is not whole, and what is was compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.conftest import MIB, Run, content
from tests.client.small_site import SmallSite

LARGE = 5 * MIB + 12_345


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, 262_144, 1_000_000, LARGE])
def test_a_file_arrives_as_it_is_there(
    run: Run, small_site: SmallSite, at_home: Path, size: int
) -> None:
    small_site.add("Cases/a.bin", content(size))
    assert run("get", "Cases/a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(size)
    assert names(at_home) == ["a.bin"]
    assert (at_home / "a.bin").stat().st_mtime == 1_796_025_600


@pytest.mark.parametrize("size", [5000, LARGE])
def test_what_is_not_what_the_site_has_is_not_kept(
    run: Run, small_site: SmallSite, at_home: Path, size: int
) -> None:
    small_site.add("a.bin", content(size))
    small_site.spoil = True
    assert run("get", "a.bin") == 7
    assert not (at_home / "a.bin").exists()
