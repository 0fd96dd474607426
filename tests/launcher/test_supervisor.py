"""Signals, steps, and that nothing is left behind however the block ends."""

import os
import signal
import sys
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.process import Child
from launcher.supervisor import StopRequested, Supervisor

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
FAILS = [sys.executable, "-c", "raise SystemExit(3)"]
WORKS = [sys.executable, "-c", "print('done')"]
ENDS = [sys.executable, "-c", "import os, signal; os.kill(os.getppid(), signal.SIGTERM)"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_watch_and_the_children(tmp_path: Path, number: int) -> None:
    started: list[Child] = []
    with pytest.raises(StopRequested), Supervisor(tmp_path) as supervisor:
        started += [supervisor.start(name, FOREVER, env=os.environ) for name in ("one", "two")]
        os.kill(os.getpid(), number)
        supervisor.watch()
    assert [child.exit_code() for child in started] == [-signal.SIGTERM] * 2


def test_a_signal_ends_a_step(tmp_path: Path) -> None:
    with pytest.raises(StopRequested), Supervisor(tmp_path) as supervisor:
        # The step itself sends it, so it comes while the step is being waited for.
        signalling = [*ENDS[:2], f"{ENDS[2]}; signal.pause()"]
        supervisor.ask("The step", signalling, env=os.environ)


def test_an_error_ends_the_children_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Supervisor(tmp_path) as supervisor:
        child = supervisor.start("The child", FOREVER, env=os.environ)
        raise ZeroDivisionError
    assert child.exit_code() == -signal.SIGTERM


def test_the_end_of_one_child_ends_the_others(tmp_path: Path) -> None:
    ended = pytest.raises(LaunchError, match=r"^The web server has stopped \(exit code 3\)")
    with ended, Supervisor(tmp_path) as supervisor:
        other = supervisor.start("The store", FOREVER, env=os.environ)
        supervisor.start("The web server", FAILS, env=os.environ)
        supervisor.watch()
    assert other.exit_code() == -signal.SIGTERM


def test_a_child_that_ends_during_a_step_ends_the_step(tmp_path: Path) -> None:
    ended = pytest.raises(LaunchError, match=r"^The store has stopped")
    with ended, Supervisor(tmp_path) as supervisor:
        supervisor.start("The store", FAILS, env=os.environ)
        supervisor.ask("The step", FOREVER, env=os.environ)


def test_what_a_step_says_can_be_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Supervisor(tmp_path) as supervisor:
        assert supervisor.ask("The step", WORKS, env=os.environ) == "done\n"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("then", "error"),
    [("raise SystemExit(3)", LaunchError), (f"{ENDS[2]}; signal.pause()", StopRequested)],
)
def test_what_is_said_once_is_shown_whatever_comes_then(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], then: str, error: type[Exception]
) -> None:
    step = [sys.executable, "-c", f"print('the password', flush=True); {then}"]
    with pytest.raises(error), Supervisor(tmp_path) as supervisor:
        supervisor.ask("The step", step, env=os.environ)
    assert capfd.readouterr().out == "the password\n"


def test_a_step_that_fails_is_named(tmp_path: Path) -> None:
    failed = pytest.raises(LaunchError, match=r"^The step failed \(exit code 3\)")
    with failed, Supervisor(tmp_path) as supervisor:
        supervisor.ask("The step", FAILS, env=os.environ)


def test_signals_are_given_back(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    with Supervisor(tmp_path):
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in numbers] == before
