"""Rotations as real processes, killed in the middle and several at once, on both databases."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from tests.conftest import Weed
from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import server

ROWS = 3000
FILES = 6

# Files of one part and of two, whose content is known by their number.
STORE_FILES = """
import sys
from django.contrib.auth import get_user_model
from files.vault import storing

alice = get_user_model().objects.create_user("alice", "alice@example.org", "x" * 20)
for number in range(int(sys.argv[1])):
    chunks = [bytes([number]) * (1 << 20)] * (3 if number % 2 else 9)
    storing.store(alice, chunks, name=f"{number}.bin")
"""

READ_FILES = """
import json
from files.vault import opening
from files.models import FileRecord, StoredObject

good = True
for record in FileRecord.objects.select_related("current"):
    number = int(record.name.partition(".")[0])
    read = b"".join(opening.open_file(record).chunks())
    good = good and read == bytes([number]) * ((3 if number % 2 else 9) << 20)
states = sorted(StoredObject.objects.values_list("state", flat=True))
print(json.dumps({"good": good, "states": states, "files": FileRecord.objects.count()}))
"""

# Sealed objects without bytes: rewrapping reads none.
STORE_ROWS = """
import sys, time, uuid
from files.crypto.keyrecord import Custody, KeyRecord, KeyState
from files.crypto.stream.keys import derive_keys, generate_dek
from files.keys.master_keys import keyring
from files.models import StoredObject

rows = []
for _ in range(int(sys.argv[1])):
    row = StoredObject(file_id=uuid.uuid4(), object_name=uuid.uuid4().hex, state="live",
                       sealed=True, stream_created_at=int(time.time()))
    dek = generate_dek()
    wrapped = keyring().wrap(KeyRecord(KeyState.SEALED, row.context, 0,
                             derive_keys(dek, row.context).commitment, Custody.MANAGED, dek))
    row.master_key_id, row.wrapped_key = wrapped.master_key_id, wrapped.token
    rows.append(row)
StoredObject.objects.bulk_create(rows, batch_size=500)
"""

COUNT_ROWS = """
import json
from django.db.models import Count
from files.models import StoredObject

by_key = StoredObject.objects.order_by().values_list("master_key_id").annotate(n=Count("pk"))
past = StoredObject.objects.order_by().values_list("past_master_key_ids").annotate(n=Count("pk"))
print(json.dumps({"by_key": dict(by_key), "past": {ids.strip(): n for ids, n in past}}))
"""


class Site(Installation):
    """An installation whose objects are deleted as soon as they are doomed and swept."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "DOOMED_GRACE_MINUTES": "0"}

    def start(self, command: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, *shlex.split(command)],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
        )

    def outcome(self, command: str) -> Any:
        """Run a command to its good end; the JSON that it prints."""
        return json.loads(self.run(command).stdout)

    def state(self, script: str) -> Any:
        """What a script finds, as JSON."""
        [line] = self.python(script)
        return json.loads(line)

    def objects(self) -> int:
        """How much is in the bucket, unfinished uploads counted too."""
        client = self.weed.client()
        listed = client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        begun = client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return len(listed) + len(begun)


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, weed: Weed, tmp_path: Path) -> Iterator[Site]:
    """A migrated installation on either database."""

    bucket = f"test-{secrets.token_hex(8)}"
    if request.param == "sqlite":
        made = Site(tmp_path, weed, bucket)
        made.migrate()
        yield made
        return
    with server(migrated=True) as database:
        url = f"postgres://{database['USER']}@/{database['HOST']}/{database['NAME']}"
        yield Site(tmp_path, weed, bucket, url)


def killed_once_it_says(site: Site, command: str, sign: bytes) -> bool:
    """Begin a command at a terminal, where it says how far it is, and SIGKILL it once it says so.

    Whether it was killed before it ended.
    """
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (24, 100))
    try:
        process = site.start(command, stderr=its)
        os.close(its)
        said = b""
        with suppress(OSError):  # Nobody is at the other end any more.
            while not re.search(sign, said):
                said += os.read(ours, 4096)
        running = process.poll() is None
        process.kill()
        process.communicate(timeout=30)
    finally:
        os.close(ours)
    return running


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_file_keys_killed_in_the_middle_and_run_again(site: Site) -> None:
    site.python(STORE_FILES, str(FILES))
    command = "manage.py rotate_file_keys --older-than=0d --workers=2 --json"
    # Before the first is done, and when some are.
    for sign in (rb"Re-encrypting", rb"Re-encrypting 6 files: +[1-9]"):
        assert killed_once_it_says(site, command, sign)
        assert site.state(READ_FILES)["good"]
    outcome = site.outcome(command)
    assert (outcome["failed"], outcome["damaged"]) == ([], [])
    found = site.state(READ_FILES)
    assert (found["good"], found["files"]) == (True, FILES)
    assert "writing" not in found["states"]
    site.run("manage.py sweep")
    assert site.state(READ_FILES) == {"good": True, "states": ["live"] * FILES, "files": FILES}
    assert site.objects() == FILES


def new_key_first(site: Site) -> str:
    """Put a new master key first, as an operator does; its id."""
    key = generate_master_key()
    site.master_keys.insert(0, key)
    site.configure()
    return LocalMasterKey(key).id


def test_master_keys_killed_in_the_middle_and_finished_by_two_at_once(site: Site) -> None:
    site.python(STORE_ROWS, str(ROWS))
    new_id = new_key_first(site)
    # In small batches, so that there is a middle to be killed in.
    command = "manage.py rotate_master_key --json --batch-size="
    assert killed_once_it_says(site, f"{command}4", rb" [1-9]\d*/\d+ \[")
    left = ROWS - site.state(COUNT_ROWS)["by_key"][new_id]
    assert 0 < left < ROWS
    outcomes = []
    for run in [site.start(f"{command}20") for _ in range(2)]:
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
        outcomes.append(json.loads(out))
    # Each key once, whoever of the two did it.
    assert sum(outcome["rewrapped"] for outcome in outcomes) == left
    assert site.outcome(f"{command}20")["left"] == 0
    old_id = LocalMasterKey(site.master_keys.pop()).id
    assert site.state(COUNT_ROWS) == {"by_key": {new_id: ROWS}, "past": {old_id: ROWS}}
    site.run("manage.py key_report --check")
    site.configure()
    site.run(f"manage.py retire_master_key {old_id}")
