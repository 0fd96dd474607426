"""Every command line of docs/recipes.md, as it stands there, against a running site."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.commanding import ROOT, Command
from tests.integration.prepared import launched

RECIPES = (ROOT / "docs/recipes.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", RECIPES, re.MULTILINE | re.DOTALL)
BEFORE = """
set -euo pipefail
pg_dump() { echo "-- a dump of $1"; }
psql() { cat > restored.sql; }
"""


def test_there_are_ten() -> None:
    assert re.findall(r"^## (\d+)\.", RECIPES, re.MULTILINE) == [str(n) for n in range(1, 11)]
    assert len(BLOCKS) == 11


def test_every_recipe_works(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with launched(tmp_path / "site") as site:
        command = Command(site, tmp_path)
        here = command.here
        (here / "token").write_text(command.token)
        for name in ("Scanner/one.pdf", "Scanner/two.pdf", "Photos/a.jpg", "Photos/in/b.jpg"):
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).write_bytes(name.encode() * 100)
        (here / "report.pdf").write_bytes(b"%PDF" + bytes(5000))
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "securestore").write_text(
            f'#!/bin/sh\nexec {sys.executable} {command.program} "$@"\n'
        )
        (programs / "securestore").chmod(0o755)
        env = {name: command.env[name] for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
        env |= {"PATH": f"{programs}:{command.env['PATH']}", "SITE": site.url}
        script = BEFORE + "\n".join(BLOCKS)
        done = subprocess.run(
            ["bash", "-c", script],  # noqa: S607
            cwd=here,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (here / "restored.sql").read_text() == "-- a dump of app\n"
        assert sorted(path.name for path in (here / "sent").iterdir()) == ["one.pdf", "two.pdf"]
        assert (here / "Case-12/Scans").is_dir()
        assert int((here / "last").read_text()) > 1
        assert (here / "again.pdf").read_bytes() == (here / "report.pdf").read_bytes()


@pytest.mark.parametrize("block", BLOCKS)
def test_a_recipe_is_sound(block: str) -> None:
    subprocess.run(["bash", "-n"], input=block, text=True, check=True)  # noqa: S607
