"""files.vault.quota: the size limit of a file, and the quota of a person."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from files.errors import FileTooLarge, QuotaExceeded, TooManyUploads, UploadLost
from files.models import FileRecord, StoredObject, UploadSession, Usage
from files.vault import continuing, removing, resumable, storing
from files.vault.quota import STILL, Allowance
from tests.files.test_models import filed

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3.client import S3Client

    from accounts.models import User

    Store = Callable[..., FileRecord]

QUOTA = 10_000


@pytest.fixture
def limited(alice: User, settings: Settings) -> User:
    settings.USER_QUOTA = QUOTA
    return alice


def _row(owner: User) -> StoredObject:
    return StoredObject.objects.create(
        file_id=uuid.uuid4(),
        object_name=uuid.uuid4().hex,
        creator=owner,
        stream_created_at=1,
        wrapped_key=b"",
    )


def test_without_a_quota_nothing_is_reserved(alice: User) -> None:
    row = _row(alice)
    Allowance(alice).cover(row, 10**12)
    row.refresh_from_db()
    assert row.reserved == 0


def test_the_size_limit_comes_first(limited: User, settings: Settings) -> None:
    settings.MAX_UPLOAD_SIZE = 10
    with pytest.raises(FileTooLarge) as refused:
        Allowance(limited).check(11)
    assert not isinstance(refused.value, QuotaExceeded)
    assert refused.value.limit == 10


def test_stored_files_count(limited: User, store: Store) -> None:
    store(limited, b"x" * 6_000)
    Allowance(limited).check(4_000)
    with pytest.raises(QuotaExceeded, match="4,000 bytes are left"):
        Allowance(limited).check(4_001)


def test_a_deleted_file_no_longer_counts(limited: User, store: Store) -> None:
    record = store(limited, b"x" * QUOTA)
    removing.remove(record, actor=limited)
    Allowance(limited).check(QUOTA)


def test_the_files_of_others_do_not_count(limited: User, bob: User, store: Store) -> None:
    store(bob, b"x" * QUOTA)
    Allowance(limited).check(QUOTA)


def test_two_uploads_never_share_the_last_of_it(limited: User) -> None:
    first, second = _row(limited), _row(limited)
    Allowance(limited).cover(first, 6_000)
    with pytest.raises(QuotaExceeded):
        Allowance(limited).cover(second, 6_000)
    # What fits beside the other goes on.
    Allowance(limited).cover(second, 2_000)
    rows = StoredObject.objects.filter(pk__in=[first.pk, second.pk])
    assert sum(row.reserved for row in rows) <= QUOTA


def test_an_upload_may_fill_the_quota_to_the_last_byte(limited: User, store: Store) -> None:
    assert store(limited, b"x" * QUOTA).size == QUOTA
    with pytest.raises(QuotaExceeded):
        store(limited, b"x")


def test_what_does_not_fit_leaves_nothing(limited: User, store: Store, s3: S3Client) -> None:
    with pytest.raises(QuotaExceeded):
        store(limited, b"x" * (QUOTA + 1))
    assert not StoredObject.objects.exists()


def test_an_upload_that_was_swept_away_reserves_nothing(limited: User) -> None:
    row = _row(limited)
    StoredObject.objects.filter(pk=row.pk).update(state=StoredObject.State.DOOMED)
    with pytest.raises(UploadLost):
        Allowance(limited).cover(row, 1)


def test_a_person_may_have_a_quota_of_their_own(limited: User) -> None:
    limited.quota = 5
    with pytest.raises(QuotaExceeded):
        Allowance(limited).check(6)
    limited.quota = 2 * QUOTA
    Allowance(limited).check(2 * QUOTA)


def test_resumable_uploads_count_while_they_are_under_way(limited: User, s3: S3Client) -> None:
    session = resumable.create(limited, name="a", length=9_000)
    with continuing.Continuation(session, 0) as turn:
        turn.write(b"x" * 8_000)
        turn.settle()
    with pytest.raises(QuotaExceeded):
        resumable.create(limited, name="b", length=3_000)
    resumable.terminate(UploadSession.objects.get(pk=session.pk))
    resumable.create(limited, name="b", length=3_000)


def test_the_form_answers_413_and_says_what_is_left(
    client: Client, limited: User, s3: S3Client
) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    client.force_login(limited)
    large = SimpleUploadedFile("large.bin", b"x" * (QUOTA + 1))
    answer = client.post("/files/upload/", {"files": large})
    assert answer.status_code == 413
    assert "10,000 bytes are left" in answer.content.decode()
    assert not StoredObject.objects.exists()


def usage_of(user: User) -> tuple[int, int]:
    found = Usage.objects.filter(pk=user.pk).values_list("files", "bytes").first()
    return found or (0, 0)


@pytest.mark.django_db
def test_what_a_person_stores_is_known_without_adding_up(alice: User, bob: User) -> None:
    records = [filed(alice, size=size) for size in (5, 7, 0)]
    assert (usage_of(alice), usage_of(bob)) == ((3, 12), (0, 0))
    FileRecord.objects.filter(pk=records[1].pk).update(owner=bob)
    assert (usage_of(alice), usage_of(bob)) == ((2, 5), (1, 7))
    records[0].size = 6
    records[0].save()
    assert usage_of(alice) == (2, 6)
    records[0].delete()
    FileRecord.objects.filter(owner=bob).delete()
    assert (usage_of(alice), usage_of(bob)) == ((1, 0), (0, 0))
    with suppress(ZeroDivisionError), transaction.atomic():
        filed(bob, size=3)
        raise ZeroDivisionError
    assert usage_of(bob) == (0, 0)


def test_a_quota_is_asked_for_by_one_query_that_adds_up_no_files(limited: User) -> None:
    filed(limited, size=QUOTA - 1)
    with CaptureQueriesContext(connection) as captured:
        Allowance(limited).check(1)
    [query] = captured.captured_queries
    assert "files_filerecord" not in query["sql"]
    with pytest.raises(QuotaExceeded):
        Allowance(limited).check(2)


# --- Unfinished uploads -------------------------------------------------------------------------


def test_what_is_announced_counts_while_it_moves(limited: User, s3: S3Client) -> None:
    resumable.create(limited, name="a", length=6_000)
    with pytest.raises(
        QuotaExceeded, match=r"4,000 bytes are left\. Unfinished uploads hold 6,000"
    ):
        resumable.create(limited, name="b", length=4_001)
    resumable.create(limited, name="c", length=4_000)
    with pytest.raises(QuotaExceeded, match=r"0 bytes are left\. Unfinished uploads hold 10,000"):
        Allowance(limited).check(1)


def test_what_stands_still_keeps_only_what_it_has_received(limited: User, s3: S3Client) -> None:
    upload = resumable.create(limited, name="a", length=9_000)
    with continuing.Continuation(upload, 0) as turn:
        turn.write(bytes(1_000))
        turn.settle()
    reserved = StoredObject.objects.get().reserved
    assert 1_000 <= reserved < 4_000
    StoredObject.objects.update(state_changed_at=timezone.now() - STILL)
    resumable.create(limited, name="b", length=QUOTA - reserved)
    # Its room has been taken meanwhile: it is asked for anew when it goes on.
    upload.refresh_from_db()
    with continuing.Continuation(upload, 1_000) as turn, pytest.raises(QuotaExceeded):
        turn.write(bytes(8_000))


def test_a_complete_upload_counts_once(limited: User, s3: S3Client) -> None:
    upload = resumable.create(limited, name="a", length=6_000)
    with continuing.Continuation(upload, 0) as turn:
        turn.write(bytes(6_000))
        assert turn.settle()
    Allowance(limited).check(4_000)
    with pytest.raises(QuotaExceeded):
        Allowance(limited).check(4_001)


def _begin(door: str, owner: User) -> object:
    if door == "tus":
        return resumable.create(owner, name="a", length=1)
    return storing.Upload(owner, name="a")


@pytest.mark.parametrize("door", ["tus", "form"])
@pytest.mark.parametrize("other", ["tus", "form"])
def test_unfinished_uploads_have_a_bound_whatever_they_come_by(
    alice: User, bob: User, s3: S3Client, settings: Settings, door: str, other: str
) -> None:
    settings.MAX_UNFINISHED_UPLOADS = 3
    for _ in range(3):
        _begin(door, alice)
    with pytest.raises(TooManyUploads, match="You have 3 unfinished uploads, and may have 3"):
        _begin(other, alice)
    _begin(other, bob)
    assert StoredObject.objects.filter(creator=alice).count() == 3
    StoredObject.objects.filter(creator=alice).first().delete()  # type: ignore[union-attr]
    _begin(other, alice)


def test_uploads_that_are_over_do_not_count(alice: User, s3: S3Client, settings: Settings) -> None:
    settings.MAX_UNFINISHED_UPLOADS = 1
    for age in (settings.EMPTY_UPLOAD_EXPIRY, settings.UPLOAD_EXPIRY):
        resumable.create(alice, name="a", length=1)
        StoredObject.objects.update(state_changed_at=timezone.now() - age)
    upload = resumable.create(alice, name="a", length=1)
    with continuing.Continuation(upload, 0) as turn:
        turn.write(b"x")
        turn.settle()
    resumable.create(alice, name="b", length=1)


def test_the_bound_is_told_at_every_door(
    alice: User, client: Client, s3: S3Client, settings: Settings
) -> None:
    settings.MAX_UNFINISHED_UPLOADS = 2
    client.force_login(alice)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    statuses = [client.post("/uploads/", headers=headers).status_code for _ in range(10)]
    assert statuses == [201] * 2 + [429] * 8
    answer = client.post("/uploads/", headers=headers)
    assert "You have 2 unfinished uploads, and may have 2" in answer.text
    answer = client.post("/files/upload/", {"files": SimpleUploadedFile("a", b"x")})
    assert answer.status_code == 400
    assert "You have 2 unfinished uploads" in answer.text
    assert not FileRecord.objects.exists()
