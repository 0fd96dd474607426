"""An outage is found behind whatever was made of it, and nothing else is taken for one."""

from __future__ import annotations

from files.crypto.errors import Damaged
from files.storage import StoreUnavailable
from securestore import outages


def test_outages_are_found_behind_what_was_raised_last() -> None:
    outage = StoreUnavailable("put")
    error = RuntimeError()
    error.__cause__ = ValueError()
    error.__cause__.__context__ = outage
    assert outages.outage_behind(error) is outage
    error.__cause__.__suppress_context__ = True
    assert outages.outage_behind(error) is None
    assert outages.outage_behind(None) is None
    # The store did not keep what an upload wrote.
    damaged = Damaged("frame 0 is another frame")
    assert outages.outage_behind(damaged) is damaged


def test_a_loop_of_causes_ends() -> None:
    first, second = RuntimeError(), RuntimeError()
    first.__context__, second.__context__ = second, first
    assert outages.outage_behind(first) is None
