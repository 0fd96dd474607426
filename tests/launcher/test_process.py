"""Children that end when they are told to, and when nobody is left to tell them."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.process import Child

FOREVER = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"
# Starts a process of its own, in the same group, that ignores SIGTERM; then ends at SIGTERM.
WITH_A_WORKER = f"""
import signal, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
signal.pause()
"""


def start(tmp_path: Path, code: str, grace: float = 10.0) -> Child:
    child = Child(
        "The child",
        [sys.executable, "-c", code],
        env=os.environ,
        cwd=tmp_path,
        log=tmp_path / "log",
        grace=grace,
    )
    child.wait_until(lambda: (tmp_path / "log").read_text().endswith("\n"), seconds=20)
    return child


def is_running(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_it_is_asked_to_end_first(tmp_path: Path) -> None:
    child = start(tmp_path, FOREVER)
    child.stop()
    assert child.exit_code() == -signal.SIGTERM


def test_it_is_killed_when_it_will_not(tmp_path: Path) -> None:
    child = start(tmp_path, STUBBORN, grace=0.1)
    child.stop()
    assert child.exit_code() == -signal.SIGKILL


def test_its_own_children_go_with_it(tmp_path: Path) -> None:
    child = start(tmp_path, WITH_A_WORKER)
    worker = int((tmp_path / "log").read_text())
    assert is_running(worker)
    child.stop()
    until_gone(worker)


def test_stopping_a_dead_one_is_no_error(tmp_path: Path) -> None:
    child = start(tmp_path, FOREVER)
    os.kill(child.pid, signal.SIGKILL)
    child.stop()
    child.stop()
    assert child.exit_code() == -signal.SIGKILL


def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    child = start(tmp_path, FOREVER)
    assert os.getpgid(child.pid) != os.getpgid(0)
    child.stop()


def test_its_end_names_the_log(tmp_path: Path) -> None:
    child = Child(
        "The child",
        [sys.executable, "-c", "raise SystemExit(7)"],
        env=os.environ,
        cwd=tmp_path,
        log=tmp_path / "log",
    )
    with pytest.raises(LaunchError, match=r"The child has stopped \(exit code 7\): see .*log\."):
        child.wait_until(lambda: False, seconds=20)
    child.stop()


def test_one_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    child = start(tmp_path, FOREVER)
    with pytest.raises(LaunchError, match="not ready"):
        child.wait_until(lambda: False, seconds=0)
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_ends_when_its_parent_is_killed_outright(tmp_path: Path) -> None:
    parent_code = f"""
import os, pathlib, signal, sys
from launcher.process import Child
child = Child("The child", [sys.executable, "-c", {FOREVER!r}], env=os.environ,
              cwd=pathlib.Path("."), log=pathlib.Path({str(tmp_path / "log")!r}))
print(child.pid, flush=True)
signal.pause()
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", parent_code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    until_gone(child)


def until_gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([descriptor], [], [], 20)
        assert ready, f"process {pid} is still there"
    finally:
        os.close(descriptor)
