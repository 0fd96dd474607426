"""The vault on the real store: what the store in memory might do otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from files.crypto.stream.layout import FRAME_PAYLOAD, frames_per_part, object_length
from files.errors import FileDamaged
from files.models import FileRecord, StoredObject
from files.storage import StoreError
from files.upkeep import bulk_verification, diagnosis, reconciliation, sweeping
from files.upkeep.verification import Outcome
from files.vault import opening, removing, stored_objects, storing
from runtime.findings import Level, examine

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART = frames_per_part(None) * FRAME_PAYLOAD
State = StoredObject.State


def left(client: S3Client) -> list[str]:
    """Everything in the bucket, unfinished uploads too."""
    bucket = stored_objects.storage().bucket_name
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    begun = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [found["Key"] for found in listed] + [found["Key"] for found in begun]


def pattern(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.mark.parametrize("size", [0, 1, FRAME_PAYLOAD + 1, PART, PART + 1, 3 * PART + 7])
def test_what_is_stored_is_read_back_and_removed(
    real_store: S3Client,
    alice: User,
    size: int,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    content = pattern(size)
    record = storing.store(alice, [content[:100], content[100:]], name="a")
    row = StoredObject.objects.get()
    head = real_store.head_object(Bucket=stored_objects.storage().bucket_name, Key=row.object_name)
    assert head["ContentLength"] == row.object_size == object_length(size)
    assert head["ETag"] == row.etag
    assert b"".join(opening.open_file(record).chunks()) == content
    assert b"".join(opening.open_file(record).chunks(size // 2)) == content[size // 2 :]
    with django_capture_on_commit_callbacks(execute=True):
        removing.remove(record, actor=alice)
    assert left(real_store) == []
    assert not StoredObject.objects.exists()


@pytest.mark.parametrize("size", [0, 5, 2 * PART])
@pytest.mark.parametrize("finish", [True, False])
def test_an_abort_leaves_nothing(
    real_store: S3Client, alice: User, size: int, finish: bool
) -> None:
    upload = storing.Upload(alice, name="a")
    upload.write(bytes(size))
    if finish:
        upload.finish()
    upload.abort()
    assert left(real_store) == []
    assert not StoredObject.objects.exists()


@pytest.mark.parametrize("noted", [True, False])
def test_a_sweep_finishes_what_a_killed_process_began(
    real_store: S3Client, alice: User, noted: bool
) -> None:
    upload = storing.Upload(alice, name="a")
    upload.write(bytes(2 * PART))
    assert len(left(real_store)) == 1
    StoredObject.objects.update(state_changed_at=timezone.now() - timedelta(days=30))
    if not noted:
        StoredObject.objects.update(multipart_id="")
    assert sweeping.sweep() == sweeping.Swept(abandoned=1)
    assert left(real_store) == []
    assert not StoredObject.objects.exists()


def test_an_object_that_vanished_is_damage_and_no_outage(real_store: S3Client, alice: User) -> None:
    record = storing.store(alice, [b"1"], name="a")
    real_store.delete_object(
        Bucket=stored_objects.storage().bucket_name, Key=record.current.object_name
    )
    with pytest.raises(FileDamaged):
        list(opening.open_file(record).chunks())
    assert FileRecord.objects.select_related("current").get().is_damaged


def test_a_bucket_that_is_missing_is_an_outage_and_no_damage(
    real_store: S3Client, alice: User
) -> None:
    record = storing.store(alice, [b"1"], name="a")
    stored_objects.storage().bucket_name += "-other"
    with pytest.raises(StoreError):
        stored_objects.check_store()
    with pytest.raises(StoreError):
        storing.store(alice, [b"2"], name="b")
    with pytest.raises(StoreError):
        list(opening.open_file(record).chunks())
    assert StoredObject.objects.get(pk=record.current.pk).state == State.LIVE


def test_the_store_passes_the_doctor_and_is_left_as_it_was(real_store: S3Client, db: None) -> None:
    found = list(examine(diagnosis.probes()))
    assert [str(line) for line in found if line.level != Level.OK] == []
    assert len(found) == 14
    assert left(real_store) == []


def test_bucket_and_rows_are_compared_on_the_real_store(
    real_store: S3Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many pages, in the store's own order; and multiparts that are young."""
    monkeypatch.setattr(reconciliation, "PAGE", 3)
    bucket = stored_objects.storage().bucket_name
    kept, lost = (storing.store(alice, [b"1"], name="a") for _ in range(2))
    big = storing.Upload(alice, name="big")
    big.write(bytes(2 * PART))
    for number in range(5):
        storing.store(alice, [], name=f"{number}")
        real_store.put_object(Bucket=bucket, Key=f"{number}0/unknown", Body=b"?")
    real_store.put_object(Bucket=bucket, Key=f"{kept.current.object_name}.tail", Body=b"?")
    real_store.create_multipart_upload(Bucket=bucket, Key="00/of-nobody")
    real_store.delete_object(Bucket=bucket, Key=lost.current.object_name)
    young = reconciliation.reconcile(delete_unknown=True)
    assert (young.unknown_objects, young.deleted, young.tails, young.aborted) == (5, 0, 0, 0)
    assert young.missing == [(lost.pk, lost.current.object_name)]
    tomorrow = timezone.now() + timedelta(days=1, minutes=1)
    old = reconciliation.reconcile(now=tomorrow, delete_unknown=True)
    assert (old.unknown_objects, old.deleted, old.tails, old.aborted) == (5, 5, 1, 1)
    big.finish()
    storing.publish([big])
    done = reconciliation.reconcile(now=tomorrow, delete_unknown=True)
    assert (done.unknown_objects, done.tails, done.aborted, done.missing_objects) == (0, 0, 0, 1)
    found = bulk_verification.Run(bulk_verification.Selection(name="all")).start()
    assert found.counts == {Outcome.OK: 7, Outcome.MISSING: 1}
