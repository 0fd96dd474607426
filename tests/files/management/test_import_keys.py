"""`import_keys`: what it says, and how it fails."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from files.crypto.fernetkey import generate_master_key
from files.models import FileRecord, StoredObject


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(generate_master_key())
    return str(path)


@pytest.fixture
def export(record: FileRecord, tmp_path: Path, key: str) -> Path:
    """An export under `key` of a file that is then lost."""
    path = tmp_path / "keys.export"
    call_command("export_keys", path, to_key_file=key, stdout=io.StringIO())
    FileRecord.objects.all().delete()
    StoredObject.objects.all().delete()
    return path


def run(export: Path, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_keys", export, stdout=out, **options)
    return out.getvalue()


def test_it_says_what_it_did(export: Path, key: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "1 files made anew, 0 keys wrapped anew" in run(export, export_key_file=key)
    assert "Importing: 100%" in capfd.readouterr().err
    assert json.loads(run(export, export_key_file=key, json=True))["present"] == 1


def test_a_file_without_its_object_fails_it(
    export: Path, key: str, s3: Any, settings: Any, record: FileRecord
) -> None:
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=record.current.object_name)
    with pytest.raises(CommandError, match="1 have no object in the bucket"):
        run(export, export_key_file=key)


def test_a_wrong_key_and_no_export_are_told(export: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(generate_master_key())
    with pytest.raises(CommandError, match="this key does not open the key export"):
        run(export, export_key_file=str(other))
    with pytest.raises(CommandError, match="No such file"):
        run(tmp_path / "none", export_key_file=str(other))
    with pytest.raises(CommandError, match="it is no key export"):
        run(other, export_key_file=str(other))
