"""Fuzzing: what strangers, a stranger's store or a damaged disk could hand to our parsers.

As unit tests these run a fixed, small number of examples. With `FUZZ_SECONDS` in the environment
each of them looks for new ones for so long (`make fuzz`); what it finds becomes an `@example`.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

import pytest
from hypothesis import is_hypothesis_test, seed, settings

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
ROUND = 100
"""Examples between two looks at the clock."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test over and over, each time on other examples, until its time is over."""
    test: Any = pyfuncitem.obj
    if not SECONDS or not is_hypothesis_test(test):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    deadline, rounds = time.monotonic() + SECONDS, 0
    while time.monotonic() < deadline:
        # A number that is told: a failure can be had again with it.
        number = random.SystemRandom().getrandbits(32)
        options = settings(
            max_examples=ROUND, derandomize=False, database=None, deadline=None, print_blob=True
        )
        options(seed(number)(test))(**wanted)
        rounds += 1
    # Shown at the end of the run: how much was looked at is the point of it.
    pyfuncitem.user_properties.append(("fuzzed", rounds * ROUND))
    return True


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.stats.get("passed", []):
        for name, examples in report.user_properties:
            if name == "fuzzed":
                terminalreporter.write_line(f"{examples:>9} examples: {report.nodeid}")
