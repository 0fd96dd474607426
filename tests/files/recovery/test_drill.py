"""The drill's checks: each passes on what is whole, and fails on what it is for."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.fernetkey import generate_master_key
from files.crypto.keyexport.header import Argon2
from files.crypto.keyexport.reading import KeyExport, open_export, read_header
from files.crypto.keyexport.writing import Protector
from files.models import Conflict, Entry, FileRecord, KeptVersion, StoredObject
from files.recovery import backups, drill, key_export
from files.vault import storing
from files.vault.destinations import Destination

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from accounts.models import User
    from tests.files.conftest import Store, UseKeys


@pytest.fixture
def manifest(record: FileRecord, tmp_path: Path) -> Callable[[], backups.Manifest]:
    """The manifest of a copy of the database as it is at the call."""

    def make() -> backups.Manifest:
        path, _ = backups.back_up(tmp_path / "backups", progress=lambda done, total: None)
        return backups.Manifest.read(path)

    return make


def run(manifest: backups.Manifest, **options: Any) -> dict[str, drill.Check]:
    checks = drill.run(manifest, sample=options.pop("sample", "20"), **options)
    return {check.name: check for check in checks}


def failed(checks: dict[str, drill.Check]) -> set[str]:
    return {name for name, check in checks.items() if not check.passed}


def test_a_whole_backup_passes(
    manifest: Callable[[], backups.Manifest], store: Store, alice: User
) -> None:
    store(alice, b"x" * 300_000, name="big")
    checks = run(manifest())
    assert failed(checks) == set()
    assert set(checks) == {
        "counts",
        "migrations",
        "audit log",
        "folders",
        "master keys",
        "known damage",
        "sample",
    }
    assert "2 files read to their last byte" in checks["sample"].detail


def test_what_is_to_be_read_is_told_before_what_was(
    manifest: Callable[[], backups.Manifest], store: Store, alice: User
) -> None:
    store(alice, b"x" * 300_000, name="big")
    expected: list[int] = []
    read: list[int] = []
    run(manifest(), expect=expected.append, progress=read.append)
    assert expected == [sum(read)]


def test_former_versions_are_read_and_counted(
    manifest: Callable[[], backups.Manifest], record: FileRecord, alice: User
) -> None:
    version = Destination(conflict=Conflict.VERSION)
    storing.store(alice, [b"as it is"], name=record.name, destination=version)
    made = manifest()
    assert made.counts["versions"] == 1
    assert made.counts["folders"] == 1
    checks = run(made)
    assert failed(checks) == set()
    assert "2 files read to their last byte" in checks["sample"].detail
    KeptVersion.objects.all().delete()
    FileRecord.objects.filter(pk=record.pk).update(kept_bytes=0)
    assert failed(run(made)) == {"counts"}


def test_a_backup_of_a_release_without_folders_is_not_blamed(
    manifest: Callable[[], backups.Manifest],
) -> None:
    made = manifest()
    known = {"files", "objects", "grants", "users", "events"}
    former = replace(made, counts={name: made.counts[name] for name in known})
    assert failed(run(former)) == set()


def test_a_tree_that_is_not_in_step_is_noticed(manifest: Callable[[], backups.Manifest]) -> None:
    made = manifest()
    Entry.objects.all().delete()
    assert failed(run(made)) == {"folders"}


def test_a_sample_is_no_larger_than_asked_for(
    manifest: Callable[[], backups.Manifest], store: Store, alice: User
) -> None:
    store(alice, name="second")
    assert "1 files read" in run(manifest(), sample="1")["sample"].detail
    assert "1 files read" in run(manifest(), sample="50%")["sample"].detail


def test_other_counts_are_noticed(
    manifest: Callable[[], backups.Manifest], store: Store, alice: User
) -> None:
    made = manifest()
    store(alice, name="later")
    assert "counts" in failed(run(made))


def test_a_cut_log_is_noticed(manifest: Callable[[], backups.Manifest]) -> None:
    made = manifest()
    number, mac = made.audit_anchor.split(":")
    longer = replace(made, audit_anchor=f"{int(number) + 1}:{mac}")
    assert "audit log" in failed(run(longer))
    assert "audit log" in failed(run(replace(made, audit_anchor="nonsense")))


def test_a_missing_master_key_is_noticed(
    manifest: Callable[[], backups.Manifest], record: FileRecord, use_keys: UseKeys
) -> None:
    made = manifest()
    use_keys(generate_master_key())
    checks = run(made)
    assert failed(checks) == {"master keys", "sample"}
    assert record.current.master_key_id in checks["master keys"].detail


def test_newer_code_is_named(manifest: Callable[[], backups.Manifest]) -> None:
    made = manifest()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('files', '9999_later', CURRENT_TIMESTAMP)"
        )
    checks = run(made)
    assert "files.9999_later" in checks["migrations"].detail
    assert "migrations" in failed(checks)


def test_held_files_are_looked_at_without_their_keys(
    manifest: Callable[[], backups.Manifest],
    held_record: FileRecord,
    s3: S3Client,
    settings: Any,
) -> None:
    made = manifest()
    assert "1 held ones found as far as it shows" in run(made)["sample"].detail
    s3.put_object(Bucket=settings.S3_BUCKET, Key=held_record.current.object_name, Body=b"cut")
    assert str(held_record.pk) in run(made)["sample"].detail


@pytest.mark.parametrize("harm", ["flip", "cut", "gone"])
def test_an_object_that_is_not_whole_is_named(
    manifest: Callable[[], backups.Manifest],
    record: FileRecord,
    s3: S3Client,
    settings: Any,
    harm: str,
) -> None:
    made = manifest()
    where = {"Bucket": settings.S3_BUCKET, "Key": record.current.object_name}
    data = bytearray(s3.get_object(**where)["Body"].read())
    data[100] ^= 1
    if harm == "gone":
        s3.delete_object(**where)
    else:
        s3.put_object(**where, Body=bytes(data if harm == "flip" else data[:-1]))
    checks = run(made)
    assert failed(checks) == {"sample"}
    assert str(record.pk) in checks["sample"].detail
    assert ("deleted since the backup" in checks["sample"].detail) is (harm == "gone")


def test_known_damage_is_no_pass(
    manifest: Callable[[], backups.Manifest], record: FileRecord
) -> None:
    StoredObject.objects.filter(pk=record.current_id).update(state="damaged")
    assert "known damage" in failed(run(manifest()))


def test_a_store_that_does_not_answer_is_one_failure(
    manifest: Callable[[], backups.Manifest], s3: S3Client, settings: Any, record: FileRecord
) -> None:
    made = manifest()
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=record.current.object_name)
    s3.delete_bucket(Bucket=settings.S3_BUCKET)
    assert failed(run(made)) == {"store"}


def exported(path: Path) -> KeyExport:
    protector = Protector.passphrase("seven green bottles on a wall", Argon2(32, 1, 4))
    key_export.export_keys(path, protector)
    source = io.BytesIO(path.read_bytes())
    return open_export(source, read_header(source), protector.key)


def test_an_export_stands_in_for_the_master_keys(
    manifest: Callable[[], backups.Manifest],
    store: Store,
    alice: User,
    tmp_path: Path,
    use_keys: UseKeys,
) -> None:
    export = exported(tmp_path / "keys")
    use_keys(generate_master_key())
    checks = run(manifest(), export=export)
    assert failed(checks) == set()
    assert "master keys" not in checks
    store(alice, name="newer than the export")
    checks = run(manifest(), export=export)
    assert failed(checks) == {"key export", "sample"}
    assert "1 of 2 files" in checks["key export"].detail


@given(st.integers(0, 10_000), st.integers(1, 20_000), st.integers(1, 100))
def test_a_sample_is_at_least_one_and_at_most_all(total: int, count: int, share: int) -> None:
    assert drill.sample_size(str(count), total) == min(count, total)
    size = drill.sample_size(f"{share}%", total)
    assert total * share <= 100 * size <= total * share + 100


@pytest.mark.parametrize("text", ["", "0", "-1", "0%", "101%", "x", "nan%"])
def test_a_sample_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        drill.sample_size(text, 5)
