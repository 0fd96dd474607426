"""Large files come in ranges, and go on after cuts and kills."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.client.conftest import MIB, Run, content
from tests.client.small_site import SmallSite

LARGE = 5 * MIB + 12_345


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_large_one_comes_in_ranges(run: Run, small_site: SmallSite, at_home: Path) -> None:
    small_site.add("a.bin", content(LARGE))
    assert run("get", "a.bin") == 0
    assert small_site.count("GET") >= 5


@pytest.mark.parametrize("seed", range(5))
def test_cut_connections_are_gone_on_with(
    run: Run, small_site: SmallSite, at_home: Path, seed: int
) -> None:
    small_site.add("a.bin", content(LARGE))
    chance = random.Random(seed)  # noqa: S311 - where it is cut
    small_site.cuts = [chance.randrange(1, 2**19) for _ in range(8)]
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)
    assert not small_site.cuts


def test_what_was_fetched_before_a_kill_is_not_fetched_again(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_site.add("a.bin", content(LARGE))
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0")
    small_site.cuts = [MIB // 2 + 100_000] * 8
    assert run("get", "a.bin") == 8
    assert not (at_home / "a.bin").exists()
    small_site.cuts, small_site.asked = [], []
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)
    assert names(at_home) == ["a.bin"]
