"""`deploy/cron/securestore`: its lines work, and say nothing where all is well: cron mails it."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Weed
from tests.integration.installation import STORE, Installation

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "deploy" / "cron" / "securestore").read_text()
LINES = re.findall(r"^(?:[\d*/]+ +){5}securestore +(.*)$", TABLE, re.MULTILINE)
VARIABLES = dict(re.findall(r"^([A-Z_]+)=(.*)$", TABLE, re.MULTILINE))


BEGUN = f"""{STORE}
from django.core.management import call_command
call_command("createcachetable")
call_command("backup")
"""


@pytest.fixture
def site(tmp_path: Path, weed: Weed) -> Installation:
    """Of each test's own: one that is wrong must not be another's that is well."""
    site = Installation(tmp_path / "site", weed, f"cron-{secrets.token_hex(6)}")
    site.migrate()
    site.python(BEGUN, "one", "two")
    return site


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
    forget = "StoredObject.objects.update(verified_at=None)"
    site.python(f"from files.models import StoredObject\n{forget}")
    result = run(site, wanted)
    assert result.returncode == 1
    assert "Not all is well: 1 missing" in result.stderr


def test_what_was_written_past_the_vault_is_mailed(site: Installation) -> None:
    [wanted] = [line for line in LINES if "verify_audit" in line]
    site.python(
        "from accounts.models import User\n"
        "User.objects.filter(username='alice').update(is_superuser=True)"
    )
    try:
        result = run(site, wanted)
    finally:
        site.python(
            "from accounts.models import User\n"
            "User.objects.filter(username='alice').update(is_superuser=False)"
        )
    assert result.returncode == 1
    assert "no event accounts for its superuser" in result.stderr
