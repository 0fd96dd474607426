"""The units and timers of `deploy/systemd`: systemd takes them, and finds little exposed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
TIMERS = sorted(path.name for path in UNITS.glob("*.timer"))

MOST_EXPOSED = 4.0
"""Of 10, as `systemd-analyze security` counts."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host's file system, as far as the units name it."""
    root = tmp_path_factory.mktemp("host")
    shutil.copytree(UNITS, root / "etc/systemd/system")
    ours = ("opt/securestore/deploy/serve", "opt/securestore/.venv/bin/python")
    for program in (*ours, "bin/kill"):
        path = root / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    return root


def analyze(*arguments: str) -> str:
    result = subprocess.run(
        ["/usr/bin/systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("unit", [*SERVICES, *TIMERS])
def test_systemd_takes_it_without_a_word(host: Path, unit: str) -> None:
    assert not analyze("verify", "--recursive-errors=no", f"--root={host}", unit).strip()


@pytest.mark.parametrize("unit", SERVICES)
def test_no_service_is_exposed(host: Path, unit: str) -> None:
    said = analyze("security", "--offline=true", "--no-pager", f"--root={host}", unit)
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said)
    assert found
    assert float(found[1]) <= MOST_EXPOSED


@pytest.mark.parametrize("timer", TIMERS)
def test_every_timer_has_its_service(timer: str) -> None:
    assert timer.replace(".timer", ".service") in SERVICES


@pytest.mark.parametrize("unit", SERVICES)
def test_what_a_service_starts_is_ours(unit: str) -> None:
    """A pool of `deploy/serve`, or a command that there is."""
    text = (UNITS / unit).read_text()
    started = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert started
    for line in started:
        program, *arguments = line.removeprefix("/opt/securestore/").split()
        if program == "deploy/serve":
            assert f"{arguments[0]})" in (ROOT / program).read_text()
            continue
        assert (program, arguments[0]) == (".venv/bin/python", "manage.py")
        ours = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
        assert arguments[1] in ours | {"clearsessions"}


def test_a_stop_lets_running_transfers_end() -> None:
    """`deploy/serve` waits for them; systemd must wait longer than that before it kills."""
    grace = re.search(r"GRACE:-(\d+)", (ROOT / "deploy/serve").read_text())
    assert grace
    for unit in ("securestore-pages.service", "securestore-transfers.service"):
        stop = re.search(r"^TimeoutStopSec=(\d+)$", (UNITS / unit).read_text(), re.MULTILINE)
        assert stop
        assert int(stop[1]) > int(grace[1])
