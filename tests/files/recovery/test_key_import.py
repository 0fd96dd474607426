"""Importing an export: what is lost comes back, and nothing else changes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from files.access.principals import Person
from files.access.rule import visible_to
from files.crypto.digests import digest_all
from files.crypto.fernetkey import generate_master_key
from files.crypto.keyexport.header import Argon2
from files.crypto.keyexport.reading import KeyExport, open_export, read_header
from files.crypto.keyexport.writing import Protector
from files.errors import KeyNeeded, KeysMissing
from files.folders import trash
from files.keys import wrapping
from files.models import FileRecord, Folder, KeptVersion, StoredObject
from files.records import derived
from files.recovery import key_export, key_import
from files.tree import placing
from files.upkeep import accounting, verification
from files.vault import opening, stored_objects
from tests.files import trees
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


# --- Trees and versions ------------------------------------------------------------------------


def lose_tree() -> None:
    KeptVersion.objects.all().delete()
    lose_files()
    Folder.objects.filter(parent__isnull=False).delete()


def newer(record: FileRecord, content: bytes) -> KeptVersion:
    """Give the file a newer version; what it was."""
    former, size = record.current, record.size
    row = stored_objects.begin_object(record.pk, dek := os.urandom(32), creator=record.owner)
    writer = stored_objects.storage().writer(
        row.object_name, dek=dek, context=row.context, size=len(content)
    )
    writer.write(content)
    sealed = writer.commit()
    StoredObject.objects.filter(pk=former.pk).update(state=StoredObject.State.KEPT)
    stored_objects.seal_object(row, dek, sealed, None)
    record.current, record.size, record.kept_bytes = row, len(content), size
    record.save()
    return KeptVersion.objects.create(
        file=record,
        object=former,
        size=size,
        custody="managed",
        content_type="text/x-former",
        uploaded_at=datetime(2025, 1, 1, tzinfo=UTC),
        superseded_at=datetime(2025, 1, 2, tzinfo=UTC),
    )


def test_a_lost_file_comes_back_to_its_folder(
    record: FileRecord, store: Store, alice: User, export: Export
) -> None:
    inner = trees.folder(alice, "Cases", "12")
    trees.put(record, inner)
    beside = trees.put(store(alice), inner, name="beside.txt")
    made = export()
    lose_tree()
    done = key_import.import_keys(made)
    assert (done.created, done.failed) == (2, 0)
    for lost in (record, beside):
        again = FileRecord.objects.get(pk=lost.pk)
        assert again.folder is not None
        assert [one.name for one in placing.path_of(again.folder)] == ["", "Cases", "12"]
        assert (again.folder_id, again.name) == (inner.pk, lost.name)
    assert list(derived.out_of_step()) == []
    assert list(accounting.differences()) == []


def test_folders_of_the_name_are_gone_on_with_and_names_that_are_taken_get_a_number(
    record: FileRecord, store: Store, alice: User, export: Export
) -> None:
    trees.put(record, trees.folder(alice, "Cases", "12"))
    made = export()
    lose_tree()
    there = trees.folder(alice, "CASES", "12")
    trees.put(store(alice), there)
    assert key_import.import_keys(made).created == 1
    again = FileRecord.objects.get(pk=record.pk)
    assert (again.folder_id, again.name) == (there.pk, "fox (2).txt")
    assert list(derived.out_of_step()) == []


def test_what_was_put_away_comes_back_put_away(
    record: FileRecord, store: Store, alice: User, export: Export
) -> None:
    away = trees.folder(alice, "Cases")
    trees.put(record, away)
    trash.put_away(away, by=Person(alice), actor=alice)
    alone = store(alice, name="alone.txt")
    trash.put_away(alone, by=Person(alice), actor=alice)
    made = export()
    lose_tree()
    assert key_import.import_keys(made).created == 2
    assert not visible_to(Person(alice)).exists()
    assert FileRecord.objects.get(pk=alone.pk).trashed_at is not None
    assert Folder.objects.get(pk=away.pk).trashed_at is not None
    assert list(derived.out_of_step()) == []
    # Once more, and nothing is made twice.
    assert key_import.import_keys(made).present == 2
    assert Folder.objects.filter(name="Cases").count() == 1
    trash.restore(Folder.objects.get(pk=away.pk), by=Person(alice), actor=alice)
    assert read(record) == CONTENT


def test_former_versions_come_with_their_file(record: FileRecord, export: Export) -> None:
    former = newer(record, b"as it is")
    made = export()
    assert [(e.version, e.is_former) for e in made.entries()] == [
        (2, False),
        (1, True),
    ]
    lose_tree()
    done = key_import.import_keys(made)
    assert (done.created, done.versions, done.failed) == (1, 1, 0)
    again = KeptVersion.objects.get()
    for name in ("file_id", "size", "content_type", "uploaded_at", "superseded_at"):
        assert getattr(again, name) == getattr(former, name)
    assert again.object.state == StoredObject.State.KEPT
    assert verification.examine(again.object).outcome == verification.Outcome.OK
    assert list(derived.out_of_step()) == []
    assert read(record) == b"as it is"
    # A version that is gone, of a file that is there, was deleted: it stays so.
    again.delete()
    StoredObject.objects.filter(pk=again.object_id).delete()
    FileRecord.objects.update(kept_bytes=0)
    assert key_import.import_keys(made).versions == 0


def test_a_version_of_a_file_that_cannot_come_back_is_told(
    record: FileRecord, export: Export, s3: S3Client, settings: Any
) -> None:
    newer(record, b"as it is")
    made = export()
    lose_tree()
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=record.current.object_name)
    done = key_import.import_keys(made)
    assert (done.created, done.missing, done.orphaned) == (0, 1, 1)


def test_an_export_of_a_release_without_folders_still_comes_back(
    record: FileRecord, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.put(record, trees.folder(record.owner, "Cases"))
    made = export()
    entries = [replace(entry, folders=None, version=0) for entry in made.entries()]
    monkeypatch.setattr(made, "entries", lambda: iter(entries))
    assert {"folders", "version"}.isdisjoint(entries[0].as_dict())
    lose_tree()
    assert key_import.import_keys(made).created == 1
    again = FileRecord.objects.get()
    assert again.folder is not None
    assert again.folder.is_root
