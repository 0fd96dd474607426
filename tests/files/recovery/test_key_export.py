"""The export of all keys: complete, of one moment, and without a key that it could not unwrap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from files.crypto.errors import MalformedKey, WrongKey
from files.crypto.fernetkey import generate_master_key
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.header import Argon2
from files.crypto.keyexport.reading import open_export, read_header
from files.crypto.keyexport.writing import Protector
from files.crypto.stream.keys import derive_keys
from files.keys.custody import UserKey
from files.models import FileRecord, StoredObject
from files.recovery import key_export
from tests.files.conftest import KEY

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from accounts.models import User
    from tests.files.conftest import Store, UseKeys

FAST = Argon2(memory=32, iterations=1, lanes=4)
PASSPHRASE = "seven green bottles hang on a wall"


def exported(path: Path, protector: Protector) -> list[Entry]:
    with path.open("rb") as file:
        return list(open_export(file, read_header(file), protector.key).entries())


@pytest.fixture
def protector() -> Protector:
    return Protector.passphrase(PASSPHRASE, FAST)


def test_every_file_is_in_it(
    store: Store,
    alice: User,
    bob: User,
    s3: S3Client,
    settings: Any,
    tmp_path: Path,
    protector: Protector,
) -> None:
    records = [store(alice, b"one", name="1"), store(bob, b"", name="2"), store(bob, name="3")]
    path = tmp_path / "keys"
    done = key_export.export_keys(path, protector)
    assert (done.files, done.held, done.left_out) == (3, 0, 0)
    entries = {entry.file_id: entry for entry in exported(path, protector)}
    assert entries.keys() == {record.pk for record in records}
    for record in records:
        entry = entries[record.pk]
        assert (entry.name, entry.size, entry.owner) == (
            record.name,
            record.size,
            record.owner.username,
        )
        head = s3.head_object(Bucket=settings.S3_BUCKET, Key=entry.object_name)
        assert head["ContentLength"] == entry.object_size
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_audited_without_a_secret(
    record: FileRecord,
    tmp_path: Path,
    protector: Protector,
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    key_export.export_keys(tmp_path / "keys", protector)
    [event] = events("keys_exported")
    [entry] = exported(tmp_path / "keys", protector)
    assert event["managed"] == 1
    assert event["master_keys"] == record.current.master_key_id
    assert event["export"] == str(protector.header.context.file_id)
    assert entry.as_dict()["key"] not in str(event)


def test_files_whose_master_key_is_missing_are_left_out_and_named(
    store: Store, alice: User, tmp_path: Path, protector: Protector, use_keys: UseKeys
) -> None:
    first, second = generate_master_key(), generate_master_key()
    use_keys(first)
    lost = store(alice, name="lost")
    use_keys(second)
    kept = store(alice, name="kept")
    broken = store(alice, name="broken")
    StoredObject.objects.filter(pk=broken.current_id).update(wrapped_key=b"x" * 200)
    done = key_export.export_keys(tmp_path / "keys", protector)
    assert [entry.file_id for entry in exported(tmp_path / "keys", protector)] == [kept.pk]
    assert dict(done.missing_keys) == {lost.current.master_key_id: 1}
    assert done.unreadable == 1
    assert set(done.named) == {lost.pk, broken.pk}


def test_nothing_is_left_when_it_cannot_be_written(
    record: FileRecord,
    tmp_path: Path,
    protector: Protector,
    monkeypatch: pytest.MonkeyPatch,
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(key_export, "write_export", full)
    with pytest.raises(OSError, match="No space"):
        key_export.export_keys(tmp_path / "keys", protector)
    assert list(tmp_path.iterdir()) == []
    assert events("keys_exported") == []


def test_progress_counts_every_file_twice(
    store: Store,
    alice: User,
    tmp_path: Path,
    protector: Protector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_export, "BATCH", 2)
    for number in range(5):
        store(alice, name=str(number))
    told: list[int] = []
    key_export.export_keys(tmp_path / "keys", protector, progress=told.append)
    assert sum(told) == 2 * key_export.exportable() == 10


def test_queries_do_not_grow_with_the_files(
    store: Store,
    alice: User,
    tmp_path: Path,
    protector: Protector,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(5):
        store(alice, name=str(number))
    with django_assert_max_num_queries(6):
        key_export.export_keys(tmp_path / "keys", protector)


def test_of_a_held_file_only_what_takes_its_owners_key(
    held_record: FileRecord, tmp_path: Path, protector: Protector
) -> None:
    done = key_export.export_keys(tmp_path / "keys", protector)
    assert (done.managed, done.held) == (0, 1)
    [entry] = exported(tmp_path / "keys", protector)
    with pytest.raises(MalformedKey):
        entry.dek()
    with pytest.raises(WrongKey):
        entry.dek(generate_master_key())
    dek = entry.dek(KEY)
    assert derive_keys(dek, entry.context).commitment == entry.commitment
    assert dek not in entry.material


def test_a_passphrase_of_a_held_file_is_found_by_its_derivation(
    store: Store, alice: User, tmp_path: Path, protector: Protector
) -> None:
    store(alice, key=UserKey.from_passphrase("my own secret words"))
    key_export.export_keys(tmp_path / "keys", protector)
    [entry] = exported(tmp_path / "keys", protector)
    assert len(entry.dek(" my own secret words")) == 32
