"""Fuzzing: what strangers, a stranger's store or a damaged disk could hand to our parsers.

As unit tests these run a fixed, small number of examples. With `FUZZ_SECONDS` in the environment
each of them looks for new ones for so long (`make fuzz`); what it finds becomes an `@example`.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import is_hypothesis_test

from tests.files.fuzz.amount import ROUND, SECONDS


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test over and over, each time on other examples, until its time is over."""
    test: Any = pyfuncitem.obj
    if not SECONDS or not is_hypothesis_test(test):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    deadline, rounds = time.monotonic() + SECONDS, 0
    while time.monotonic() < deadline:
        test(**wanted)
        rounds += 1
    # Shown at the end of the run: how much was looked at is the point of it.
    pyfuncitem.user_properties.append(("fuzzed", rounds * ROUND))
    return True


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.stats.get("passed", []):
        for name, number in report.user_properties:
            if name == "fuzzed":
                terminalreporter.write_line(f"{number:>9} examples: {report.nodeid}")
