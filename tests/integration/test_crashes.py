"""A sample of what `tests/soak/test_crashes.py` does in full: the same kills in every run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import Weed
from tests.integration.crashes import crash_site, kill_at

# Operations, and how many points each has at the least.
SAMPLE = {
    "sqlite": {
        "upload by form": 20,
        "upload by tus": 40,
        "upload by tus, given up": 10,
        "version by tus": 26,
        "version by form": 16,
        "batch by API": 10,
        "put by API": 6,
        "delete": 8,
        "grant": 2,
        "rewrap": 8,
        "re-encrypt": 20,
        "sweep": 90,
    },
    "postgresql": {
        "upload by form": 20,
        "upload by tus": 40,
        "upload by tus, left": 40,
        "version by tus": 26,
        "version by form": 16,
        "batch by API": 10,
        "put by API": 6,
        "delete": 8,
        "rewrap": 8,
        "re-encrypt": 20,
        "sweep": 90,
    },
}


@pytest.mark.parametrize("database", SAMPLE)
def test_a_kill_loses_nothing_and_leaves_nothing(database: str, tmp_path: Path, weed: Weed) -> None:
    chance = random.Random(6)  # noqa: S311  the same in every run
    with crash_site(tmp_path, weed, database) as site:
        for operation, points in SAMPLE[database].items():
            assert kill_at(site, operation, chance.randrange(1, points + 1))
