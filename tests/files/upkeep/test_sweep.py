"""Sweeping: what died, was given up or was deleted goes; nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from files.errors import UploadLost
from files.models import FileRecord, KeptAnswer, StoredObject
from files.upkeep import sweeping
from files.vault import continuing, removing, resumable, stored_objects, storing
from tests.files.conftest import CONTENT, Store
from tests.files.vault.faults import PART, StoreTrouble, read

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

State = StoredObject.State
Nothing = Callable[[], bool]
Events = Callable[[str], list[dict[str, Any]]]


def age(**ages: timedelta) -> None:
    """Make the rows of each state that old."""
    for state, past in ages.items():
        StoredObject.objects.filter(state=state).update(state_changed_at=timezone.now() - past)


@pytest.fixture
def doomed(record: FileRecord, alice: User) -> StoredObject:
    """The row of a file that was deleted; its object is still there."""
    removing.remove(record, actor=alice)
    return StoredObject.objects.get(state=State.DOOMED)


@pytest.fixture
def abandoned(alice: User, s3: S3Client) -> StoredObject:
    """The row of an upload whose process died after two parts."""
    upload = storing.Upload(alice, name="big")
    upload.write(bytes(2 * PART))
    row = StoredObject.objects.get(state=State.WRITING)
    assert row.multipart_id
    return row


def test_a_doomed_object_goes_once_its_grace_is_over(
    doomed: StoredObject, settings: Any, nothing_left: Nothing, events: Events
) -> None:
    age(doomed=settings.DOOMED_GRACE - timedelta(minutes=1))
    assert sweeping.sweep() == sweeping.Swept()
    assert events("swept") == []
    age(doomed=settings.DOOMED_GRACE)
    assert sweeping.sweep() == sweeping.Swept(purged=1)
    assert nothing_left()
    assert [(e["purged"], e["abandoned"]) for e in events("swept")] == [(1, 0)]
    assert sweeping.sweep() == sweeping.Swept()


def test_an_upload_that_stands_still_goes_once_it_has_expired(
    abandoned: StoredObject, settings: Any, nothing_left: Nothing
) -> None:
    age(writing=settings.UPLOAD_EXPIRY - timedelta(minutes=1))
    assert sweeping.sweep() == sweeping.Swept()
    age(writing=settings.UPLOAD_EXPIRY)
    assert sweeping.sweep() == sweeping.Swept(abandoned=1)
    assert nothing_left()


def test_an_upload_without_a_byte_goes_earlier(
    alice: User, s3: S3Client, settings: Any, nothing_left: Nothing
) -> None:
    upload = resumable.create(alice, name="empty", length=10)
    age(writing=settings.EMPTY_UPLOAD_EXPIRY - timedelta(minutes=1))
    assert sweeping.sweep() == sweeping.Swept()
    age(writing=settings.EMPTY_UPLOAD_EXPIRY)
    assert sweeping.due() == 1
    upload.object.refresh_from_db()
    assert upload.expires_at <= timezone.now()
    assert sweeping.sweep() == sweeping.Swept(abandoned=1)
    assert nothing_left()


def test_an_upload_with_a_byte_and_one_by_form_do_not(
    alice: User, abandoned: StoredObject, settings: Any
) -> None:
    upload = resumable.create(alice, name="begun", length=10)
    with continuing.Continuation(upload, 0) as turn:
        turn.write(b"x")
        turn.settle()
    age(writing=settings.EMPTY_UPLOAD_EXPIRY)
    assert sweeping.sweep() == sweeping.Swept()


def test_a_multipart_whose_id_was_never_noted_goes_too(
    abandoned: StoredObject, settings: Any, nothing_left: Nothing
) -> None:
    StoredObject.objects.update(multipart_id="")
    age(writing=settings.UPLOAD_EXPIRY)
    sweeping.sweep()
    assert nothing_left()


def test_a_dry_run_counts_and_changes_nothing(
    doomed: StoredObject,
    abandoned: StoredObject,
    settings: Any,
    store_is_empty: Nothing,
    events: Events,
) -> None:
    age(doomed=settings.DOOMED_GRACE, writing=settings.UPLOAD_EXPIRY)
    assert sweeping.sweep(dry_run=True) == sweeping.Swept(purged=1, abandoned=1)
    assert StoredObject.objects.count() == 2
    assert not store_is_empty()
    assert events("swept") == []


@pytest.mark.parametrize("page", [1, 2, 500])
def test_all_are_swept_whatever_the_page(
    store: Store, alice: User, page: int, monkeypatch: pytest.MonkeyPatch, nothing_left: Nothing
) -> None:
    monkeypatch.setattr(sweeping, "PAGE", page)
    for _ in range(3):
        removing.remove(store(alice), actor=alice)
    later = timezone.now() + timedelta(days=30)
    assert sweeping.due(later) == 3
    steps: list[sweeping.Step] = []
    assert sweeping.sweep(now=later, each=steps.append) == sweeping.Swept(purged=3)
    assert [(step.act, step.failed) for step in steps] == [(sweeping.Act.PURGE, False)] * 3
    assert sweeping.due(later) == 0
    assert nothing_left()


def test_files_are_never_swept_however_old(store: Store, alice: User, bob: User) -> None:
    live, damaged = store(alice), store(bob)
    StoredObject.objects.filter(pk=damaged.current.pk).update(state=State.DAMAGED)
    age(live=timedelta(days=9999), damaged=timedelta(days=9999))
    assert sweeping.sweep() == sweeping.Swept()
    assert read(live) == CONTENT
    assert StoredObject.objects.count() == 2


def test_a_row_whose_object_is_gone_already_is_finished(
    doomed: StoredObject, s3: S3Client, settings: Any, nothing_left: Nothing
) -> None:
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=doomed.object_name)
    age(doomed=settings.DOOMED_GRACE)
    assert sweeping.sweep().purged == 1
    assert nothing_left()


def test_what_the_store_does_not_confirm_is_tried_again(
    doomed: StoredObject,
    abandoned: StoredObject,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    s3: S3Client,
    nothing_left: Nothing,
) -> None:
    age(doomed=settings.DOOMED_GRACE, writing=settings.UPLOAD_EXPIRY)
    trouble = StoreTrouble(monkeypatch, s3).begin()
    assert sweeping.sweep() == sweeping.Swept(abandoned=1, failed=2)
    assert list(StoredObject.objects.values_list("state", flat=True)) == [State.DOOMED] * 2
    trouble.end()
    age(doomed=settings.DOOMED_GRACE)
    assert sweeping.sweep() == sweeping.Swept(purged=2)
    assert nothing_left()


def test_an_upload_that_is_published_while_the_sweep_looks_is_not_swept(
    alice: User, s3: S3Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = storing.Upload(alice, name="a")
    upload.write(CONTENT)
    upload.finish()
    age(writing=settings.UPLOAD_EXPIRY)
    original = QuerySet.update

    def publish_first(rows: QuerySet[Any], **fields: Any) -> int:
        if fields.get("state") == State.DOOMED and not FileRecord.objects.exists():
            storing.publish([upload])
        return original(rows, **fields)

    monkeypatch.setattr(QuerySet, "update", publish_first)
    assert sweeping.sweep() == sweeping.Swept()
    assert read(FileRecord.objects.get()) == CONTENT


def test_an_upload_that_the_sweep_took_is_not_published(
    alice: User, s3: S3Client, settings: Any, nothing_left: Nothing
) -> None:
    upload = storing.Upload(alice, name="a")
    upload.write(CONTENT)
    upload.finish()
    age(writing=settings.UPLOAD_EXPIRY)
    assert sweeping.sweep().abandoned == 1
    with pytest.raises(UploadLost):
        storing.publish([upload])
    upload.abort()
    assert nothing_left()


def test_two_sweeps_at_once_do_the_work_once(
    doomed: StoredObject, settings: Any, monkeypatch: pytest.MonkeyPatch, nothing_left: Nothing
) -> None:
    age(doomed=settings.DOOMED_GRACE)
    original = stored_objects.storage().discard
    inner: list[sweeping.Swept] = []

    def meanwhile(name: str, multipart_id: str = "") -> bool:
        if not inner:
            inner.append(sweeping.Swept())
            inner[0] = sweeping.sweep()
        return original(name, multipart_id)

    monkeypatch.setattr(stored_objects.storage(), "discard", meanwhile)
    sweeping.sweep()
    assert inner[0].purged == 1
    assert nothing_left()


def test_answers_to_programs_are_kept_for_a_day(alice: User, s3: object) -> None:
    now = timezone.now()
    for number, age in enumerate((timedelta(hours=23), timedelta(hours=25))):
        KeptAnswer.objects.create(
            token_id=1, key=f"{number}", request="", status=201, made_at=now - age
        )
    sweeping.sweep(now=now)
    assert [row.key for row in KeptAnswer.objects.all()] == ["0"]
