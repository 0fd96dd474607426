"""Scratch areas: gone when they are over, and after a kill with the next one."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from files.recovery import backups, scratch


@pytest.fixture
def backup(db: None, tmp_path: Path) -> tuple[backups.Manifest, Path]:
    path, _ = backups.back_up(tmp_path / "backups", progress=lambda done, total: None)
    manifest = backups.Manifest.read(path)
    return manifest, path.with_name(manifest.file)


def age(folder: Path) -> None:
    os.utime(folder, (0, 0))


def test_the_copy_is_restored_and_goes_at_the_end(
    backup: tuple[backups.Manifest, Path], tmp_path: Path
) -> None:
    with scratch.restored(*backup, below=tmp_path) as area:
        assert area.folder.stat().st_mode & 0o777 == 0o700
        with closing(sqlite3.connect(area.database)) as database:
            assert database.execute("SELECT count(*) FROM files_filerecord").fetchone() == (0,)
        assert area.database_url == f"sqlite:///{area.database}"
    assert not area.folder.exists()


def test_what_a_killed_run_left_goes_and_what_another_holds_stays(
    backup: tuple[backups.Manifest, Path], tmp_path: Path
) -> None:
    dead, alive, young = (
        tmp_path / f"{scratch.PREFIX}{name}" for name in ("dead", "alive", "young")
    )
    for folder in (dead, alive, young):
        folder.mkdir()
        (folder / "lock").touch()
    for folder in (dead, alive):
        age(folder)
    with (alive / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with scratch.restored(*backup, below=tmp_path):
            pass
    assert not dead.exists()
    assert alive.exists()
    assert young.exists()


def test_a_copy_that_is_no_database_is_refused(
    backup: tuple[backups.Manifest, Path], tmp_path: Path
) -> None:
    manifest, _ = backup
    bad = tmp_path / "bad"
    bad.write_bytes(b"not a database, though as long as one" * 500)
    with pytest.raises(backups.BackupFailed, match="not sound"):  # noqa: SIM117
        with scratch.restored(replace(manifest, file="bad"), bad, below=tmp_path):
            pytest.fail("it was restored")
    assert not list(tmp_path.glob(f"{scratch.PREFIX}*"))
