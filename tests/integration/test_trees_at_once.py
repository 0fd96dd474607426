"""Trees that many processes change at once, and one of which is killed: they stay trees.

No circle, nothing deeper than allowed, one owner for each tree and all that is in it, one meaning
for each path; nothing waits for ever, and whatever is refused is refused in words.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from accounts.models import User
from audit import Event, chain
from audit.models import AuditEvent
from files.access.principals import Person
from files.folders import making
from files.models import Ancestry, Entry, FileRecord, Folder, Grant, Usage
from files.models.folders import DEEPEST
from files.records import derived
from files.records.names import entry_key
from files.tree import placing
from files.upkeep import whereabouts
from tests.audit.databases import as_default

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
WORKERS, STEPS = 4, 60


def worker(configuration: dict[str, Any], seed: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.tree_worker"),
            *(json.dumps(configuration), str(seed), str(count)),
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def begin() -> None:
    """Two people, each with a folder that the other may put things into."""
    by: dict[str, Any]
    alice, bob = (User.objects.create_user(name) for name in ("alice", "bob"))
    for owner, other in ((alice, bob), (bob, alice)):
        by = {"by": Person(owner), "actor": owner}
        inbox = making.create_folder(placing.root_of(owner), "inbox", **by)
        Grant.objects.create(folder=inbox, user=other, level="add")
        shared = making.create_folder(placing.root_of(owner), "shared", **by)
        Grant.objects.create(folder=shared, user=other, level="manage")


def test_trees_stay_trees_whoever_changes_them_and_whoever_is_killed(
    migrated_database: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), as_default(migrated_database):
        begin()
        connection.close()
        workers = [worker(migrated_database, seed, STEPS) for seed in range(WORKERS)]
        workers.append(worker(migrated_database, WORKERS, 0))
        try:
            for one in workers:
                assert one.stdout is not None
                assert one.stdout.readline() == "ready\n"
            for one in workers:
                assert one.stdin is not None
                one.stdin.close()
                one.stdin = None
            endless = workers[-1]
            assert endless.stdout is not None
            for _ in range(STEPS // 2):
                assert endless.stdout.readline()
            endless.kill()
            done: Counter[str] = Counter()
            for one in workers[:-1]:
                out, errors = one.communicate(timeout=240)
                assert one.returncode == 0, errors
                done.update(out.split("\n"))
        finally:
            for one in workers:
                one.kill()
                one.wait()
                for pipe in (one.stdin, one.stdout, one.stderr):
                    if pipe is not None:
                        pipe.close()
        assert done.keys() >= {"make", "path", "add", "move", "put away", "restore"}
        assert "path: NameTaken" not in done
        check()
        chain.verify()
        # What looks for trees that were changed past the vault finds nothing here.
        assert list(derived.out_of_step()) == []
        assert list(whereabouts.of_folders(at_most=9)) == []


def check() -> None:
    folders = {one.pk: one for one in Folder.objects.all()}
    closure = set()
    for folder in folders.values():
        above, distance = folder, 0
        while True:
            closure.add((above.pk, folder.pk, distance))
            assert above.owner_id == folder.owner_id
            if above.parent_id is None:
                break
            above, distance = folders[above.parent_id], distance + 1
            assert distance <= DEEPEST
    assert set(Ancestry.objects.values_list("ancestor", "descendant", "distance")) == closure
    entries = {(one.file_id or one.folder_id): one for one in Entry.objects.all()}
    items: list[FileRecord | Folder] = [one for one in folders.values() if not one.is_root]
    items += FileRecord.objects.all()
    for item in items:
        parent_id = item.parent_id if isinstance(item, Folder) else item.folder_id
        assert parent_id is not None
        assert folders[parent_id].owner_id == item.owner_id
        entry = entries.pop(item.pk, None)
        assert (entry is None) == (item.trashed_at is not None)
        if entry is not None:
            assert (entry.parent_id, entry.key) == (parent_id, entry_key(item.name))
    assert not entries
    stored = Counter(FileRecord.objects.values_list("owner_id", flat=True))
    assert dict(Usage.objects.exclude(files=0).values_list("owner_id", "files")) == dict(stored)


def test_whoever_needs_the_same_new_folders_at_once_gets_the_same(
    migrated_database: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> None:
    """As when a folder is dropped, and its files are sent three at a time."""
    with django_db_blocker.unblock(), as_default(migrated_database):
        alice = User.objects.create_user("alice")
        root = placing.root_of(alice)
        start = threading.Barrier(WORKERS)

        def make(_: int) -> list[str]:
            ends = []
            with as_default(migrated_database):
                for step in range(10):
                    start.wait(timeout=60)
                    names = ["Case", f"Step {step}", "Scans"]
                    made = making.make_path(root, names, by=Person(alice), actor=alice)
                    ends.append(f"{step} {made.pk}")
            return ends

        with ThreadPoolExecutor(WORKERS) as pool:
            ends = [end for each in pool.map(make, range(WORKERS)) for end in each]
        assert len(ends) == 10 * WORKERS
        assert len(set(ends)) == 10
        check()
        chain.verify()
        created = AuditEvent.objects.filter(event=Event.FOLDER_CREATED)
        assert created.count() == Folder.objects.filter(parent__isnull=False).count() == 21
