"""`restore_drill` outside its scratch area; the whole of it is tried in tests/integration."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from files.recovery import backups


def run(**options: Any) -> str:
    out = io.StringIO()
    call_command("restore_drill", stdout=out, **options)
    return out.getvalue()


def test_without_a_backup_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no backup in"):
        run(**{"from": tmp_path})


def test_a_copy_that_was_changed_fails_before_it_is_restored(db: None, tmp_path: Path) -> None:
    path, _ = backups.back_up(tmp_path, progress=lambda done, total: None)
    copy = path.with_name(backups.Manifest.read(path).file)
    copy.write_bytes(copy.read_bytes() + b"x")
    out = io.StringIO()
    with pytest.raises(CommandError, match="The drill failed: backup"):
        call_command("restore_drill", stdout=out, backup=copy, json=True)
    outcome = json.loads(out.getvalue())
    assert not outcome["passed"]
    assert [check["name"] for check in outcome["checks"]] == ["backup"]


def test_a_backup_of_another_database_is_not_tried(db: None, tmp_path: Path) -> None:
    path, _ = backups.back_up(tmp_path, progress=lambda done, total: None)
    data = json.loads(path.read_text())
    copy = path.with_name(data["file"])
    copy.rename(copy.with_suffix(".dump"))
    path.write_text(
        json.dumps(data | {"database": "postgresql", "file": copy.with_suffix(".dump").name})
    )
    with pytest.raises(CommandError, match="The drill failed: restore"):
        run(backup=path)


@pytest.mark.parametrize("sample", ["0", "x", "200%"])
def test_a_sample_that_makes_no_sense_is_refused(sample: str) -> None:
    with pytest.raises(CommandError, match="--sample is a number"):
        run(sample=sample)


def test_it_works_inside_a_scratch_database_only(db: None, tmp_path: Path) -> None:
    path, _ = backups.back_up(tmp_path, progress=lambda done, total: None)
    with pytest.raises(CommandError, match="not a scratch database"):
        run(inside=path)


def test_an_export_that_is_none_is_named(tmp_path: Path, db: None) -> None:
    backups.back_up(tmp_path, progress=lambda done, total: None)
    with pytest.raises(CommandError, match="No such file"):
        run(**{"from": tmp_path}, keys_export=tmp_path / "none")
    (tmp_path / "bad").write_text("x")
    with pytest.raises(CommandError, match="it is no key export"):
        run(**{"from": tmp_path}, keys_export=tmp_path / "bad")
