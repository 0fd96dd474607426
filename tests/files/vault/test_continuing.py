"""Turns at an upload: whatever fails, and whoever else writes, no safe byte is lost or spoilt."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.crypto.digests import digest_all
from files.crypto.stream.layout import FRAME_PAYLOAD
from files.errors import OtherContent, UploadBusy, UploadLost
from files.models import FileRecord, StoredObject, UploadSession
from files.storage import StoreUnavailable
from files.vault import continuing, opening, resumable, stored_objects
from files.vault.continuing import Continuation
from tests.files.vault.faults import PART, store_fails
from tests.files.vault.turns import CONTENT, SIZE, content_of, fresh, send

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


pytestmark = pytest.mark.usefixtures("impatient", "moto_as_s3")


# --- Pieces --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cuts",
    [
        (1,),
        (FRAME_PAYLOAD - 1, FRAME_PAYLOAD, FRAME_PAYLOAD + 1),
        (2 * FRAME_PAYLOAD, 3 * FRAME_PAYLOAD),
        (PART - 1, PART, PART + 1),
        (PART + FRAME_PAYLOAD, SIZE - 1),
    ],
)
def test_pieces_of_any_size_become_the_file(session: UploadSession, cuts: tuple[int, ...]) -> None:
    for cut in cuts:
        assert send(session, cut) is None
        assert fresh(session).offset == cut
    assert content_of(send(session)) == CONTENT


def test_nothing_but_the_object_is_left(session: UploadSession, s3: S3Client) -> None:
    for cut in (2 * FRAME_PAYLOAD, 4 * FRAME_PAYLOAD, PART + 2 * FRAME_PAYLOAD):
        send(session, cut)
    send(session)
    row = fresh(session).object
    listed = s3.list_objects_v2(Bucket=stored_objects.storage().bucket_name)
    assert [found["Key"] for found in listed["Contents"]] == [row.object_name]
    assert not s3.list_multipart_uploads(Bucket=stored_objects.storage().bucket_name).get("Uploads")
    assert not row.lease
    assert not bytes(row.carry)


def test_the_plaintext_is_neither_in_the_row_nor_in_the_store(
    session: UploadSession, s3: S3Client
) -> None:
    send(session, FRAME_PAYLOAD + 5000)
    row = fresh(session).object
    assert CONTENT[FRAME_PAYLOAD : FRAME_PAYLOAD + 16] not in bytes(row.carry)
    [tail] = row.tails
    body = s3.get_object(Bucket=stored_objects.storage().bucket_name, Key=tail["name"])[
        "Body"
    ].read()
    assert CONTENT[:16] not in body


def test_a_tiny_piece_writes_to_the_database_twice(
    session: UploadSession, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Takes the lease; notes what is safe and gives the lease back."""
    session = fresh(session)
    with django_assert_num_queries(4) as seen, Continuation(session, 0) as turn:
        turn.write(b"x")
        turn.settle()
    assert sum(query["sql"].startswith("UPDATE") for query in seen.captured_queries) == 2


def test_what_was_safe_once_is_never_given_up(session: UploadSession) -> None:
    """The part that the tails fill is sent, and the bytes that follow it are in no frame yet."""
    send(session, PART + 10)
    with pytest.raises(RuntimeError), Continuation(fresh(session), PART + 10) as turn:
        turn.write(CONTENT[PART + 10 : PART + 5 * FRAME_PAYLOAD])
        turn._writer._wait()
        raise RuntimeError
    now = fresh(session)
    assert now.object.etags
    assert now.offset == PART + 10
    assert content_of(send(session)) == CONTENT


def test_the_row_of_a_file_holds_nothing_that_only_its_upload_needed(
    session: UploadSession,
) -> None:
    """Lists read it with every file, and the ETags of a large one's parts would be long."""
    send(session, PART + 10)
    row = fresh(session).object
    assert row.etags or row.tails or row.carry
    send(session)
    row = StoredObject.objects.get(pk=row.pk)
    assert (row.etags, row.tails, bytes(row.carry), row.multipart_id) == ([], [], b"", "")
    assert (row.chain, row.lease, row.lease_seen_at) == (None, "", None)


# --- Failures of the store -----------------------------------------------------------------------


def test_whatever_call_fails_the_upload_can_be_resumed(alice: User, s3: S3Client) -> None:
    call = 0
    failed = True
    while failed:
        call += 1
        session = resumable.create(alice, name="file.bin", length=SIZE)
        safe = 2 * FRAME_PAYLOAD + 7
        send(session, safe)
        with store_fails(call) as calls, suppress(StoreUnavailable):
            send(session)
        failed = len(calls) >= call
        now = fresh(session)
        if not now.completed_at:
            assert now.offset >= safe
            assert not now.object.lease
            assert content_of(send(session)) == CONTENT
        else:
            assert content_of(FileRecord.objects.get(current=now.object)) == CONTENT
    # Begin, get the tail, two parts, complete, check the end, list the tails, at the least.
    assert call > 7


def test_whatever_call_fails_while_it_settles_what_was_safe_stays(alice: User) -> None:
    for call in range(1, 6):
        session = resumable.create(alice, name="file.bin", length=SIZE)
        send(session, 5 * FRAME_PAYLOAD)
        with store_fails(call), suppress(StoreUnavailable):
            send(session, PART + FRAME_PAYLOAD + 9)
        assert fresh(session).offset >= 5 * FRAME_PAYLOAD
        assert content_of(send(session)) == CONTENT


def test_a_death_between_store_and_row_loses_nothing(
    session: UploadSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is complete and nobody could say so: the next turn finds it."""

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    send(session, PART + 10)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stored_objects, "seal_object", die)
        send(session)
    assert fresh(session).offset == PART + 10
    assert content_of(send(session)) == CONTENT


def test_an_object_that_was_completed_before_its_row_is_compared_whole(
    session: UploadSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died between store and row; who comes now may have another file's end."""

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    safe = PART + 10
    send(session, safe)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stored_objects, "seal_object", die)
        send(session)
    other = CONTENT[:safe] + bytes(reversed(CONTENT[safe:]))
    head, whole = digest_all([CONTENT[:safe]]).chain, digest_all([CONTENT]).chain
    with pytest.raises(OtherContent) as caught, Continuation(fresh(session), safe, chain=head) as t:
        t.write(other[safe:])
        t.settle(expected=digest_all([other]).chain)
    assert (caught.value.offset, caught.value.chain) == (safe, head)
    assert not FileRecord.objects.exists()
    with Continuation(fresh(session), safe, chain=head) as turn:
        turn.write(CONTENT[safe:])
        record = turn.settle(expected=whole)
        assert turn.chain == whole
    assert content_of(record) == CONTENT
    assert opening.digests_of(fresh(session).object) == digest_all([CONTENT])


@pytest.mark.parametrize(("coming", "known"), [(None, True), (SIZE, True), (SIZE - 1, False)])
def test_sha256_is_taken_where_one_turn_may_bring_it_all(
    session: UploadSession, coming: int | None, *, known: bool
) -> None:
    with Continuation(session, 0, coming=coming) as turn:
        turn.write(CONTENT)
        assert content_of(turn.settle()) == CONTENT
    digests = opening.digests_of(fresh(session).object)
    assert digests is not None
    assert (digests.sha256 is not None) is known
    assert digests.chain == digest_all([CONTENT]).chain


def test_parts_that_the_store_lost_end_the_upload(session: UploadSession, s3: S3Client) -> None:
    send(session, PART + 2 * FRAME_PAYLOAD)
    row = fresh(session).object
    s3.abort_multipart_upload(
        Bucket=stored_objects.storage().bucket_name, Key=row.object_name, UploadId=row.multipart_id
    )
    with pytest.raises(UploadLost):
        send(session)


def test_a_tail_that_the_store_lost_ends_the_upload(session: UploadSession, s3: S3Client) -> None:
    send(session, 2 * FRAME_PAYLOAD)
    [tail] = fresh(session).object.tails
    s3.delete_object(Bucket=stored_objects.storage().bucket_name, Key=tail["name"])
    with pytest.raises(UploadLost):
        send(session)


def test_a_carry_that_was_altered_ends_the_upload(session: UploadSession) -> None:
    send(session, 100)
    StoredObject.objects.update(carry=b"x" * 200)
    with pytest.raises(UploadLost):
        send(session)


# --- One writer at a time ------------------------------------------------------------------------


def test_a_failed_turn_gives_its_lease_back(session: UploadSession) -> None:
    with pytest.raises(RuntimeError), Continuation(session, 0):
        raise RuntimeError
    assert content_of(send(session)) == CONTENT


@pytest.mark.parametrize("written", [100, 2 * FRAME_PAYLOAD, PART + FRAME_PAYLOAD, SIZE])
def test_a_writer_that_lost_its_lease_spoils_nothing(session: UploadSession, written: int) -> None:
    lost = Continuation(session, 0)
    with pytest.raises(UploadLost), lost:
        StoredObject.objects.update(lease_seen_at=timezone.now() - timedelta(minutes=5))
        send(session, FRAME_PAYLOAD + 77)
        lost.write(b"?" * written)
        lost.settle()
    assert fresh(session).offset == FRAME_PAYLOAD + 77
    assert content_of(send(session)) == CONTENT


def test_a_writer_that_stood_still_asks_before_it_sends(
    session: UploadSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Continuation(session, 0)
    with store_fails(10_000) as calls, pytest.raises(UploadLost), lost:
        StoredObject.objects.update(lease_seen_at=timezone.now() - timedelta(minutes=5))
        with Continuation(fresh(session), 0):
            monkeypatch.setattr(continuing, "BEAT", -1.0)
            lost.write(CONTENT)
    assert calls == []


@pytest.mark.parametrize("length", [0, 100, SIZE])
def test_who_creates_an_upload_may_have_the_first_turn(alice: User, length: int) -> None:
    session = resumable.create(alice, name="file.bin", length=length, leased=True)
    with pytest.raises(UploadBusy):
        Continuation(fresh(session), 0)
    with Continuation(session, 0, first=True) as turn:
        turn.write(CONTENT[:length])
        record = turn.settle()
    assert content_of(record) == CONTENT[:length]
    assert fresh(session).completed_at
    row = fresh(session).object
    assert (row.lease, row.lease_seen_at, bytes(row.carry)) == ("", None, b"")


def test_the_first_turn_leaves_safe_what_came(alice: User) -> None:
    session = resumable.create(alice, name="file.bin", length=SIZE, leased=True)
    with Continuation(session, 0, first=True) as turn:
        turn.write(CONTENT[: PART + 5])
        assert turn.settle() is None
    assert content_of(send(session)) == CONTENT


# --- Dead processes ------------------------------------------------------------------------------
