"""As the tests of every day, for a minute: clients whose patience ends come again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Weed
from tests.integration.deployment import Deployment
from tests.integration.test_slow_clients import behind_the_proxy, without_a_proxy

pytestmark = pytest.mark.soak

MINUTE = 60


def test_nobody_waits_for_them_behind_the_proxy(tmp_path: Path, weed: Weed) -> None:
    deployment = Deployment(tmp_path, weed, servers=2)
    with deployment.running():
        behind_the_proxy(deployment, MINUTE)


def test_nobody_waits_for_them_without_a_proxy(tmp_path: Path, weed: Weed) -> None:
    without_a_proxy(tmp_path, weed, MINUTE)
