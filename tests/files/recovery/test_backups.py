"""Copies of the database: of one moment, verified, and nothing half-made left."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import transaction

from audit import Event, chain, record
from files.recovery import backups
from tests.audit.databases import as_default

if TYPE_CHECKING:
    from accounts.models import User
    from tests.files.conftest import Store


def silent(_done: int, _total: int | None) -> None:
    pass


def back_up(folder: Path, *, keep: int | None = None) -> Path:
    return backups.back_up(folder, keep=keep, progress=silent)[0]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith("lock")}


def test_the_copy_holds_what_its_manifest_says(
    store: Store, alice: User, bob: User, tmp_path: Path
) -> None:
    store(alice, b"123", name="a")
    second = store(bob, b"45678", name="b")
    path = back_up(tmp_path / "backups")
    manifest = backups.verify(path)
    assert manifest.counts | {"files": 2, "objects": 2, "users": 2} == manifest.counts
    assert manifest.file_bytes == 8
    assert manifest.master_keys == {second.current.master_key_id: 2}
    assert manifest.audit_anchor == str(chain.head())
    assert "files.0001_initial" in manifest.migrations
    copy = path.with_name(manifest.file)
    with closing(sqlite3.connect(copy)) as database:
        rows = database.execute("SELECT name FROM files_filerecord ORDER BY name").fetchall()
    assert rows == [("a",), ("b",)]
    for made in (copy, path):
        assert made.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700
    assert names(tmp_path / "backups") == {copy.name, path.name}


def test_old_copies_go_only_after_the_new_one_is_there(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [back_up(tmp_path) for _ in range(3)]
    newest = back_up(tmp_path, keep=2)
    assert backups.find(tmp_path) == [paths[2], newest]
    assert len(names(tmp_path)) == 4

    def damaged(_path: Path) -> backups.Manifest:
        raise backups.BackupFailed("not as it was written")

    monkeypatch.setattr(backups, "verify", damaged)
    with pytest.raises(backups.BackupFailed):
        back_up(tmp_path, keep=1)
    assert set(backups.find(tmp_path)) >= {paths[2], newest}


def test_what_a_killed_run_left_goes_with_the_next(db: None, tmp_path: Path) -> None:
    part = tmp_path / ".securestore-20200101T000000.000000Z.part"
    part.mkdir()
    (part / "x").write_text("half")
    (tmp_path / "securestore-20200101T000000.000000Z.sqlite3").write_text("no manifest")
    (tmp_path / "mine.sqlite3").write_text("mine")
    path = back_up(tmp_path)
    assert names(tmp_path) == {path.name, backups.Manifest.read(path).file, "mine.sqlite3"}


def test_two_at_once_are_refused(db: None, tmp_path: Path) -> None:
    with (tmp_path / ".securestore-lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(backups.BackupFailed, match="running"):
            back_up(tmp_path)


def test_nothing_is_left_when_the_disk_is_full(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backups, "check_sqlite", full)
    with pytest.raises(backups.BackupFailed, match="disk is full"):
        back_up(tmp_path)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("harm", ["flip", "cut", "gone", "manifest", "elsewhere", "format"])
def test_a_copy_that_is_not_what_was_made_is_refused(db: None, tmp_path: Path, harm: str) -> None:
    path = back_up(tmp_path)
    copy = path.with_name(backups.Manifest.read(path).file)
    data = json.loads(path.read_text())
    if harm == "flip":
        content = bytearray(copy.read_bytes())
        content[5000] ^= 1
        copy.write_bytes(content)
    elif harm == "cut":
        os.truncate(copy, 5000)
    elif harm == "gone":
        copy.unlink()
    elif harm == "manifest":
        path.write_text("{}")
    elif harm == "elsewhere":
        path.write_text(json.dumps(data | {"file": "../x"}))
    else:
        path.write_text(json.dumps(data | {"format": "securestore-backup/2"}))
    with pytest.raises(backups.BackupFailed):
        backups.verify(path)


# --- Beside a running service ------------------------------------------------------------------


@pytest.fixture
def on_disk(tmp_path: Path, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """A database as the service has it: on disk, in WAL mode."""
    from securestore import settings as site

    options = {
        "timeout": 10,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
    }
    configuration = {**site.DATABASES["default"], "NAME": tmp_path / "live.sqlite3"}
    configuration["OPTIONS"] = options
    with django_db_blocker.unblock(), as_default(configuration):
        call_command("migrate", verbosity=0, interactive=False)
        yield configuration


@pytest.mark.integration
def test_a_copy_made_under_writers_is_of_one_moment_and_holds_nobody_up(
    on_disk: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "PAGES", 4)
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        with as_default(on_disk):
            while not stop.is_set():
                with transaction.atomic():
                    record(Event.SWEPT, n=1)
                    written.append(record(Event.SWEPT, n=2).id)

    for number in range(200):
        record(Event.SWEPT, n=number)
    before = chain.head().number
    writer = threading.Thread(target=write)
    writer.start()
    steps: list[int] = []
    seen: list[int] = []

    def tell(done: int, _total: int | None) -> None:
        steps.append(done)
        # Let the writer write between two steps of the copy: not a sleep, but its own progress.
        count, tries = len(written), 0
        while len(written) == count and tries < 10_000 and len(seen) < 5:
            tries += 1
            threading.Event().wait(0.001)
        seen.append(len(written) - count)

    try:
        path, _ = backups.back_up(tmp_path / "backups", progress=tell)
    finally:
        stop.set()
        writer.join()
    assert len(steps) > 5
    assert sum(seen) > 0
    manifest = backups.Manifest.read(path)
    # Both events of a transaction, or none.
    assert (manifest.counts["events"] - before) % 2 == 0
    with as_default({**on_disk, "NAME": path.with_name(manifest.file)}):
        assert str(chain.verify()) == manifest.audit_anchor
    assert chain.verify().number == before + 2 * len(written)


@pytest.mark.integration
def test_the_copy_is_one_file(on_disk: dict[str, Any], tmp_path: Path) -> None:
    path = back_up(tmp_path / "backups")
    copy = path.with_name(backups.Manifest.read(path).file)
    with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert names(tmp_path / "backups") == {path.name, copy.name}
