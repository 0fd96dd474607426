"""Progress of long commands: drawn for a terminal, told to a log."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Callable

import pytest

from runtime.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the time on by so many seconds."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("Verifying", total=4, unit=" objects") as bar:
        bar.update(3)
        bar.expect(3)
    assert "Verifying: 100%|" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert lines(caplog) == []


def test_a_log_gets_a_line_now_and_then(
    clock: Callable[[float], None], said: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Progress("Verifying", total=100_000_000, unit="B", scale=True) as bar:
        for _ in range(50):
            clock(1)
            bar.update(1_000_000)
        assert lines(caplog) == ["Verifying: 30%, 30.0M of 100M, 1.00MB/s, 01:10 left"]
        clock(50)
        bar.update(50_000_000)
    assert lines(caplog)[1:] == ["Verifying: 100%, 100M of 100M, 1.00MB/s, 00:00 left"] * 2
    assert said.getvalue() == ""


def test_how_much_there_is_may_be_unknown_and_change(
    clock: Callable[[float], None], said: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Progress("Copying", unit=" keys") as bar:
        clock(30)
        bar.update(60)
        bar.expect(240)
        clock(30)
        bar.update(60)
        bar.reset(total=10)
        clock(5)
        bar.update(10)
    assert lines(caplog) == [
        "Copying: 60, 2.00 keys/s",
        "Copying: 50%, 120 of 240, 2.00 keys/s, 01:00 left",
        "Copying: 100%, 10 of 10, 2.00 keys/s, 00:00 left",
    ]


@pytest.mark.parametrize(("brief", "shown"), [(True, True), (False, False)])
def test_nothing_is_said_of_what_is_quick_or_quiet(
    brief: bool, shown: bool, said: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Progress("Sweeping", total=1, unit=" objects", brief=brief, shown=shown) as bar:
        bar.update()
    assert lines(caplog) == []
    assert said.getvalue() == ""


def test_what_fails_does_not_end_with_a_line(
    said: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(KeyboardInterrupt), Progress("Copying", total=2, unit="B") as bar:
        bar.update(1)
        raise KeyboardInterrupt
    assert lines(caplog) == []
