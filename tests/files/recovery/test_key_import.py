"""Importing an export: what is lost comes back, and nothing else changes."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from files.crypto.digests import digest_all
from files.crypto.keyexport import Argon2, KeyExport, Protector, open_export, read_header
from files.crypto.keyring import generate_master_key
from files.errors import KeyNeeded, KeysMissing
from files.keys import wrapping
from files.models import FileRecord, StoredObject
from files.recovery import key_export, key_import
from files.upkeep import verification
from files.vault import opening
from tests.files.conftest import CONTENT, KEY

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from accounts.models import User
    from tests.files.conftest import Store, UseKeys

Export = Callable[[], KeyExport]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Exports all keys there are now."""

    def make() -> KeyExport:
        protector = Protector.passphrase("seven green bottles on a wall", Argon2(32, 1, 4))
        key_export.export_keys(tmp_path / "keys", protector)
        source = io.BytesIO((tmp_path / "keys").read_bytes())
        return open_export(source, read_header(source), protector.key)

    return make


def lose_files() -> None:
    FileRecord.objects.all().delete()
    StoredObject.objects.all().delete()


def read(record: FileRecord, key: str | None = None) -> bytes:
    fresh = FileRecord.objects.select_related("current").get(pk=record.pk)
    return b"".join(opening.open_file(fresh, key).chunks())


def test_a_lost_file_is_made_anew(
    record: FileRecord, export: Export, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    record.modified_at = datetime(2019, 5, 1, 10, 30, 0, 123456, tzinfo=UTC)
    record.save()
    made = export()
    lose_files()
    done = key_import.import_keys(made)
    assert (done.created, done.failed, done.new_owners) == (1, 0, [])
    again = FileRecord.objects.get()
    for name in ("pk", "name", "size", "content_type", "owner", "created_at", "modified_at"):
        assert getattr(again, name) == getattr(record, name)
    # Digests are in no export: a verification makes them anew.
    assert opening.digests_of(again.current) is None
    verification.verify(again.current)
    assert opening.digests_of(StoredObject.objects.get()) == digest_all([CONTENT])
    assert read(record) == CONTENT
    assert events("keys_imported") == [{"file_id": None, "actor": "", "created": 1, "rewrapped": 0}]


def test_a_held_file_still_takes_its_key(held_record: FileRecord, export: Export) -> None:
    made = export()
    lose_files()
    assert key_import.import_keys(made).created == 1
    with pytest.raises(KeyNeeded):
        read(held_record)
    assert read(held_record, KEY) == CONTENT


def test_an_owner_who_is_gone_comes_back_without_a_way_in(
    record: FileRecord, alice: User, export: Export
) -> None:
    made = export()
    lose_files()
    alice.delete()
    assert key_import.import_keys(made).new_owners == ["alice"]
    owner = FileRecord.objects.get().owner
    assert not owner.is_active
    assert not owner.has_usable_password()


def test_a_key_whose_master_key_is_lost_is_wrapped_anew(
    record: FileRecord, export: Export, use_keys: UseKeys
) -> None:
    made = export()
    use_keys(generate_master_key())
    with pytest.raises(KeysMissing):
        read(record)
    done = key_import.import_keys(made)
    assert (done.created, done.rewrapped) == (0, 1)
    assert read(record) == CONTENT
    wrapping.check_keyring()
    assert key_import.import_keys(made).present == 1


def test_what_works_is_left_as_it_is(record: FileRecord, export: Export) -> None:
    made = export()
    before = StoredObject.objects.values().get()
    done = key_import.import_keys(made)
    assert (done.present, done.created, done.rewrapped) == (1, 0, 0)
    assert StoredObject.objects.values().get() == before


def test_what_was_deleted_does_not_come_back(record: FileRecord, export: Export) -> None:
    made = export()
    FileRecord.objects.all().delete()
    StoredObject.objects.update(state="doomed")
    assert key_import.import_keys(made).deleted == 1
    assert not FileRecord.objects.exists()


def test_a_file_that_was_being_written_in_the_copy_of_the_database_is_made(
    record: FileRecord, export: Export
) -> None:
    made = export()
    FileRecord.objects.all().delete()
    StoredObject.objects.update(state="writing", sealed=False, size=0, object_size=0)
    assert key_import.import_keys(made).created == 1
    assert read(record) == CONTENT
    assert StoredObject.objects.count() == 1


def test_an_object_that_is_gone_or_damaged_makes_no_file(
    store: Store, alice: User, s3: S3Client, settings: Any, export: Export
) -> None:
    gone, damaged = store(alice, name="gone"), store(alice, name="damaged")
    made = export()
    lose_files()
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=gone.current.object_name)
    s3.put_object(Bucket=settings.S3_BUCKET, Key=damaged.current.object_name, Body=b"x" * 1000)
    done = key_import.import_keys(made)
    assert (done.missing, done.damaged, done.created) == (1, 1, 0)
    assert set(done.named) == {gone.pk, damaged.pk}
    assert not FileRecord.objects.exists()


def test_another_stream_under_the_same_id_is_a_conflict(record: FileRecord, export: Export) -> None:
    made = export()
    StoredObject.objects.update(stream_created_at=1)
    assert key_import.import_keys(made).conflicts == 1


def test_it_goes_on_after_a_kill(
    store: Store, alice: User, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [store(alice, name=str(number)) for number in range(5)]
    made = export()
    lose_files()
    monkeypatch.setattr(key_import, "BATCH", 2)

    def kill(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        key_import.import_keys(made, progress=kill)
    assert FileRecord.objects.count() == 2
    done = key_import.import_keys(made)
    assert (done.created, done.present) == (3, 2)
    assert {read(record) for record in records} == {CONTENT}
