"""Open: no byte that was not authenticated, and damage is found, marked and told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD
from files.errors import FileDamaged, KeysMissing
from files.models import FileRecord, StoredObject
from files.storage import StoreError
from files.vault import opening
from tests.files.conftest import CONTENT, Store, UseKeys

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

from tests.files.vault.faults import StoreTrouble, cut, flip, read

State = StoredObject.State
Nothing = Callable[[], bool]


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (10, 20), (5, None), (0, 10**9)])
def test_a_part_of_a_file_is_read(record: FileRecord, start: int, stop: int | None) -> None:
    assert read(record, start, stop) == CONTENT[start:stop]


DAMAGE: dict[str, Callable[[S3Client, str, str], object]] = {
    "first byte": lambda s3, bucket, name: flip(s3, bucket, name, 0),
    "ciphertext": lambda s3, bucket, name: flip(s3, bucket, name, 30),
    "last byte of the trailer": lambda s3, bucket, name: flip(s3, bucket, name, -1),
    "cut": cut,
    "empty": lambda s3, bucket, name: s3.put_object(Bucket=bucket, Key=name, Body=b""),
    "deleted": lambda s3, bucket, name: s3.delete_object(Bucket=bucket, Key=name),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_marked_and_audited_once(
    record: FileRecord,
    s3: S3Client,
    settings: Any,
    damage: str,
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    DAMAGE[damage](s3, settings.S3_BUCKET, record.current.object_name)
    opened = opening.open_file(record)
    with pytest.raises(FileDamaged):
        list(opened.chunks())
    fresh = FileRecord.objects.select_related("current").get()
    assert fresh.is_damaged
    with pytest.raises(FileDamaged):
        opening.open_file(fresh)
    with pytest.raises(FileDamaged):
        list(opened.chunks())
    [event] = events("damage_found")
    assert event["file_id"] == record.id
    assert event["reason"]


def test_only_what_authenticated_is_released_before_the_damage(
    store: Store, alice: User, s3: S3Client, settings: Any
) -> None:
    content = bytes(range(256)) * (3 * FRAME_PAYLOAD // 256)
    record = store(alice, content)
    flip(s3, settings.S3_BUCKET, record.current.object_name, 2 * FRAME_LENGTH + 100)
    chunks, released = opening.open_file(record).chunks(), b""
    with pytest.raises(FileDamaged):
        for chunk in chunks:
            released += chunk
    assert released == content[: 2 * FRAME_PAYLOAD]


def test_an_object_put_in_anothers_place_is_damage(
    store: Store, alice: User, s3: S3Client, settings: Any
) -> None:
    one, other = store(alice, b"one" * 100), store(alice, b"two" * 100)
    s3.copy_object(
        Bucket=settings.S3_BUCKET,
        Key=one.current.object_name,
        CopySource={"Bucket": settings.S3_BUCKET, "Key": other.current.object_name},
    )
    with pytest.raises(FileDamaged):
        read(one)


@pytest.mark.parametrize("table", [FileRecord, StoredObject])
def test_another_size_in_the_database_opens_nothing_and_marks_nothing(
    record: FileRecord, table: type[FileRecord] | type[StoredObject]
) -> None:
    table._default_manager.update(size=len(CONTENT) - 1)
    with pytest.raises(FileDamaged):
        read(record)
    assert StoredObject.objects.get().state == State.LIVE


def test_both_sizes_changed_together_open_nothing(record: FileRecord) -> None:
    FileRecord.objects.update(size=1)
    StoredObject.objects.update(size=1)
    with pytest.raises(FileDamaged):
        read(record)


def test_wrapped_keys_exchanged_between_rows_open_nothing(store: Store, alice: User) -> None:
    one, other = store(alice, b"one"), store(alice, b"two")
    StoredObject.objects.filter(pk=one.current.pk).update(wrapped_key=other.current.wrapped_key)
    with pytest.raises(FileDamaged):
        read(one)


def test_a_current_of_another_file_opens_nothing(store: Store, alice: User) -> None:
    one, other = store(alice, b"one"), store(alice, b"two")
    one.current = other.current
    with pytest.raises(FileDamaged):
        opening.open_file(one)


def test_a_missing_master_key_is_named(record: FileRecord, use_keys: UseKeys) -> None:
    needed = record.current.master_key_id
    use_keys(generate_master_key())
    with pytest.raises(KeysMissing, match=f"key {needed} is needed by 1 file[.]"):
        read(record)
    assert StoredObject.objects.get().state == State.LIVE


def test_an_unreachable_store_is_no_damage(record: FileRecord, trouble: StoreTrouble) -> None:
    trouble.begin()
    with pytest.raises(StoreError):
        read(record)
    trouble.end()
    assert read(record) == CONTENT
