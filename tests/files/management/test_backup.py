"""`backup`: what it says, where it writes, and how it fails."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from files.models import FileRecord
from files.recovery import backups


def run(**options: Any) -> str:
    out = io.StringIO()
    call_command("backup", stdout=out, **options)
    return out.getvalue()


def test_it_says_what_it_made(record: FileRecord, tmp_path: Path) -> None:
    said = run(to=tmp_path)
    [path] = backups.find(tmp_path)
    manifest = backups.verify(path)
    assert f"{tmp_path / manifest.file}: {manifest.size} bytes, 1 files" in said
    assert f"Needs the master keys {record.current.master_key_id}." in said


def test_the_folder_comes_from_the_settings(db: None, tmp_path: Path, settings: Any) -> None:
    settings.BACKUP_DIR = tmp_path / "made"
    outcome = json.loads(run(json=True))
    assert backups.find(tmp_path / "made") == [Path(outcome["manifest"])]


def test_old_ones_are_removed_and_named(db: None, tmp_path: Path) -> None:
    for _ in range(2):
        run(to=tmp_path)
    assert "Removed securestore-" in run(to=tmp_path, keep=2)
    assert len(backups.find(tmp_path)) == 2


def test_it_is_audited(
    db: None, tmp_path: Path, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    run(to=tmp_path)
    started, ended = events("command_run")
    assert (started["phase"], ended["phase"], ended["outcome"]) == ("started", "ended", "complete")
    assert started["actor"] == ended["actor"] == "command:backup"
    assert ended["sha256"] == backups.Manifest.read(backups.find(tmp_path)[0]).sha256


@pytest.mark.parametrize("keep", [0, -1])
def test_to_keep_none_is_refused(db: None, tmp_path: Path, keep: int) -> None:
    with pytest.raises(CommandError, match="at least 1"):
        run(to=tmp_path, keep=keep)
    assert not backups.find(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CommandError, match=r"file.*: (Not a directory|File exists)"):
        run(to=tmp_path / "file" / "backups")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(CommandError, match=r"Permission denied.*--to, or BACKUP_DIR"):
        run(to=tmp_path)
