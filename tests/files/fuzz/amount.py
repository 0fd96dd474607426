"""How many examples a fuzz test runs: few and the same as a unit test, new ones when fuzzing."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

SECONDS: Final = float(os.environ.get("FUZZ_SECONDS", "0"))
"""For how long each test looks for new examples; 0: it is a unit test."""

ROUND: Final = 100
"""Examples between two looks at the clock."""


def examples(number: int) -> settings:
    """Settings of a fuzz test that runs `number` examples as a unit test."""
    # The fixtures of one test serve all of its examples: what an example changes, it puts back.
    calm = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    if not SECONDS:
        return settings(max_examples=number, suppress_health_check=calm)
    return settings(
        max_examples=ROUND,
        derandomize=False,
        database=None,
        print_blob=True,
        suppress_health_check=calm,
    )
