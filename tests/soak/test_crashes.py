"""Every operation killed at every point of its write path, on both databases."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.conftest import Weed
from tests.integration.crashes import OPERATIONS, CrashSite, campaign, crash_site

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, weed: Weed
) -> Iterator[CrashSite]:
    with crash_site(tmp_path_factory.mktemp("crashes"), weed, request.param) as site:
        yield site


@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_every_point(
    site: CrashSite, operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        [tally] = campaign(
            site, lambda line: sys.stderr.write(f"\n{line}\n"), operations=[operation]
        )
    assert tally.points >= 2
    assert tally.kills >= tally.points - 2
