"""A move as operators run it, while people write and a sweep runs: nothing told is lost."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Weed
from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import server

# Minutes each: `make test` has the kills of tests/integration/test_move_database.py.
pytestmark = pytest.mark.soak

# A refusal is told on one line: what PostgreSQL says of a trigger has several.
WRITE = """
import itertools, sys
import django
django.setup()
from accounts.models import User
from files.vault import storing
alice = User.objects.get(username="alice")
for number in itertools.count():
    name = f"{sys.argv[1]}-{number}"
    try:
        storing.store(alice, [name.encode() * 100_000], name=name)
    except Exception as error:
        print("REFUSED", *str(error).split(), flush=True)
        break
    print(name, flush=True)
"""
SWEEP = """
import django
django.setup()
from files.upkeep import reconciliation, sweeping
while True:
    try:
        sweeping.sweep()
        reconciliation.reconcile(delete_unknown=True)
        from audit import Event, record
        record(Event.SWEPT)
    except Exception as error:
        print("REFUSED", *str(error).split(), flush=True)
        break
"""


@pytest.fixture(params=["sqlite-to-postgresql", "postgresql-to-sqlite"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, weed: Weed
) -> Iterator[tuple[Installation, str]]:
    """An installation, and the URL that its database goes to."""
    with ExitStack() as stack:
        found = stack.enter_context(server())
        postgres = f"postgres://{found['USER']}@/{found['HOST']}/postgres"
        sqlite = f"sqlite:///{tmp_path}/one.sqlite3"
        urls = (sqlite, postgres) if request.param.startswith("sqlite") else (postgres, sqlite)
        site = Installation(tmp_path, weed, f"move-{secrets.token_hex(6)}", urls[0])
        site.run("manage.py migrate --verbosity 0")
        site.run("manage.py setup_vault")
        site.store("first")
        yield site, urls[1]


def started(site: Installation, script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={**site.environment(), "DJANGO_SETTINGS_MODULE": "securestore.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_writers_and_a_sweep_during_and_after_a_move_lose_nothing(
    site: tuple[Installation, str], tmp_path: Path
) -> None:
    installation, target = site
    processes = [started(installation, WRITE, f"writer{number}") for number in range(2)]
    processes.append(started(installation, SWEEP))
    try:
        # Each has written once: the move begins in the middle of it.
        told = [one.stdout.readline().strip() for one in processes[:2] if one.stdout]
        file = tmp_path / "target"
        file.touch(mode=0o600)
        file.write_text(target)
        said = installation.run(f"manage.py move_database --to-file {file}").stdout
        assert "every row compared" in said
        # They had begun before, and cannot write any more.
        lines = [one.communicate(timeout=120)[0].splitlines() for one in processes]
        for found in lines:
            assert found[-1].startswith("REFUSED")
            assert "closed to changes" in found[-1]
        told += [line for found in lines[:2] for line in found[:-1]]
    finally:
        for one in processes:
            one.kill()
            one.communicate()
    for command in ("sweep", "rotate_master_key", "verify_files", "backup", "migrate", "shell"):
        refused = installation.run(f"manage.py {command}", code=1)
        assert "was moved to" in refused.stderr, command
    assert "hunter2" not in said
    wsgi = subprocess.run(
        [sys.executable, "-c", "import securestore.wsgi"],
        cwd=ROOT,
        env=installation.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (wsgi.returncode, "was moved to" in wsgi.stderr) == (1, True)

    installation.database_url = target
    installation.configure()
    installation.run("manage.py check --database default")
    installation.run("manage.py verify_audit")
    installation.run("manage.py setup_vault")
    assert installation.read() >= {"first", *told}
    installation.run("manage.py sweep --delete-unknown")
    assert installation.read() >= {"first", *told}
    installation.store("afterwards")
    installation.run("manage.py verify_files")


def test_a_move_that_is_killed_in_earnest_goes_on_and_shows_no_password(
    site: tuple[Installation, str], tmp_path: Path
) -> None:
    installation, target = site
    command = [sys.executable, "-u", "manage.py", "move_database", "--to", target]
    for step in ("Preparing", "Closing", "Copying", "Comparing", "Checking the audit"):
        run = subprocess.Popen(
            command,
            cwd=ROOT,
            env=installation.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith(step):
                break
        time.sleep(0)
        run.kill()
        run.communicate()
    said = installation.run(f"manage.py move_database --to {target}").stdout
    assert "Moved to" in said
    assert "before" in installation.run(f"manage.py move_database --to {target}").stdout
    installation.database_url = target
    installation.configure()
    assert installation.read() == {"first"}
