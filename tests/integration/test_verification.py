"""Verification and sweep as real processes, several at once and killed, on both databases."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from files.upkeep.verification_queue import PAGE
from tests.conftest import Weed
from tests.integration.faulty_store import Delay, FaultyStore
from tests.integration.forms import eventually
from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import server

LAST = 2
FILES = PAGE + LAST
"""A full page, and one of two objects."""

STORE = """
import sys
from django.contrib.auth import get_user_model
from files.vault import storing
from files.models import StoredObject

alice = get_user_model().objects.create_user("alice", "alice@example.org", "x" * 20)
for number in range(int(sys.argv[1])):
    storing.store(alice, [b"%d" % number], name=f"{number}.bin")
for name in StoredObject.objects.order_by("pk").values_list("object_name", flat=True):
    print(name)
"""

DOOM = """
import sys
from files.vault import removing
from files.models import FileRecord, StoredObject

FileRecord.objects.filter(current__object_name__in=sys.argv[1:]).delete()
removing.doom(StoredObject.objects.filter(object_name__in=sys.argv[1:]))
"""


@dataclass
class Site(Installation):
    """An installation that reaches its store over a network that fails on demand."""

    network: FaultyStore | None = None

    def environment(self) -> dict[str, str]:
        assert self.network is not None
        return {
            **super().environment(),
            "DOOMED_GRACE_MINUTES": "0",
            "S3_ENDPOINT_URL": self.network.endpoint_url,
        }

    def start(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *shlex.split(command)],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def outcome(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, weed: Weed, tmp_path: Path) -> Iterator[Site]:
    """A migrated installation on either database."""

    bucket = f"test-{secrets.token_hex(8)}"
    with FaultyStore(weed.endpoint_url) as network:
        if request.param == "sqlite":
            made = Site(tmp_path, weed, bucket, network=network)
            made.migrate()
            yield made
            return
        with server(migrated=True) as database:
            url = f"postgres://{database['USER']}@/{database['HOST']}/{database['NAME']}"
            yield Site(tmp_path, weed, bucket, url, network=network)


def test_runs_share_the_work_and_one_takes_over_what_a_killed_one_had(site: Site) -> None:
    network = site.network
    assert network is not None
    names = site.python(STORE, str(FILES))
    assert len(names) == FILES
    network.heal()
    # The first run hangs in its page, and the second takes the other.
    stuck = names[5]
    network.fail(Delay(60), having=stuck)
    command = "manage.py verify_files --workers=1 --json"
    killed = site.start(command)
    assert eventually(lambda: network.count("GET", stuck) == 1, 60)
    survivor = site.start(command)
    assert eventually(lambda: network.count("GET", names[-1]) == 1, 60)
    assert survivor.poll() is None
    killed.kill()
    killed.communicate(timeout=30)
    found = outcome(survivor)
    assert (found["ok"], found["resumed"], found["objects"]) == (True, True, FILES)
    assert [network.count("GET", name) for name in names[-LAST:]] == [1] * LAST
    # Both are over: the next one reads all of it, with many workers.
    network.heal()
    again = json.loads(site.run("manage.py verify_files --workers=3 --json").stdout)
    assert (again["ok"], again["resumed"], again["objects"]) == (True, False, FILES)
    _two_sweeps_at_once(site, names)


def _two_sweeps_at_once(site: Site, names: list[str]) -> None:
    """They do the work once between them, and find all else in its place."""
    client = site.weed.client()
    client.put_object(Bucket=site.bucket, Key="zz/unknown", Body=b"?")
    doomed, kept = names[:8], names[8:]
    site.python(DOOM, *doomed)
    sweeps = [outcome(one) for one in [site.start("manage.py sweep --json") for _ in range(2)]]
    assert all(sweep["failed"] == sweep["missing_objects"] == 0 for sweep in sweeps)
    assert sum(sweep["purged"] for sweep in sweeps) >= len(doomed)
    assert all(sweep["unknown_objects"] == 1 for sweep in sweeps)
    listed = client.list_objects_v2(Bucket=site.bucket)["Contents"]
    assert [found["Key"] for found in listed] == sorted([*kept, "zz/unknown"])
