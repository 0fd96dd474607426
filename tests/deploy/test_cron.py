"""`deploy/cron/securestore`: its lines work, and say nothing where all is well: cron mails it."""

from __future__ import annotations

import re
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Weed
from tests.integration.installation import Installation

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "deploy" / "cron" / "securestore").read_text()
LINES = re.findall(r"^(?:[\d*/]+ +){5}securestore +(.*)$", TABLE, re.MULTILINE)
VARIABLES = dict(re.findall(r"^([A-Z_]+)=(.*)$", TABLE, re.MULTILINE))


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Installation:
    """Two files, and a backup."""
    site = Installation(tmp_path_factory.mktemp("cron"), weed, f"cron-{secrets.token_hex(6)}")
    site.migrate()
    site.run("manage.py createcachetable")
    site.store("one", "two")
    site.run("manage.py backup")
    return site


@pytest.fixture
def site(well: Installation, tmp_path: Path) -> Installation:
    """Of each test's own: one that is wrong must not be another's that is well."""
    return well.copy(tmp_path / "site")


def change(site: Installation, statement: str) -> None:
    """Past the vault, as who has the database does."""
    with closing(sqlite3.connect(site.folder / "db.sqlite3")) as database, database:
        assert database.execute(statement).rowcount


def run(site: Installation, line: str) -> subprocess.CompletedProcess[str]:
    """As cron runs it: `%` ends a line unless it is escaped; its variables, and no others."""
    command = line.replace("cd /opt/securestore", f"cd {ROOT}").replace("\\%", "%")
    command = command.replace(".venv/bin/python", sys.executable)
    return subprocess.run(
        [VARIABLES["SHELL"], "-c", command],
        env={**VARIABLES, **site.environment(), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_there_is_a_line_for_each_timer() -> None:
    timers = {path.stem.partition("-")[2] for path in (ROOT / "deploy/systemd").glob("*.timer")}
    words = {"sweep": "sweep", "verify": "verify_files", "backup": "backup"}
    words |= {"drill": "restore_drill", "audit": "verify_audit", "mails": "deliver"}
    assert timers == words.keys()
    for command in words.values():
        assert any(f"manage.py {command}" in line for line in LINES)


@pytest.mark.parametrize("line", LINES)
def test_nothing_is_mailed_where_all_is_well(site: Installation, line: str) -> None:
    result = run(site, line)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_what_is_wrong_is_mailed(site: Installation) -> None:
    """An object is gone: the line of the verification says so, and which file it was."""
    [wanted] = [line for line in LINES if "verify_files" in line]
    client = site.weed.client()
    found = client.list_objects_v2(Bucket=site.bucket)["Contents"]
    client.delete_object(Bucket=site.bucket, Key=found[0]["Key"])
    change(site, "UPDATE files_storedobject SET verified_at = NULL")
    result = run(site, wanted)
    assert result.returncode == 1
    assert "Not all is well: 1 missing" in result.stderr


def test_what_was_written_past_the_vault_is_mailed(site: Installation) -> None:
    [wanted] = [line for line in LINES if "verify_audit" in line]
    change(site, "UPDATE accounts_user SET is_superuser = 1 WHERE username = 'alice'")
    result = run(site, wanted)
    assert result.returncode == 1
    assert "no event accounts for its superuser" in result.stderr
