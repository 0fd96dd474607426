"""Store: whatever fails and wherever, nothing is half there and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import User
from files.crypto.errors import Damaged
from files.crypto.stream.layout import FRAME_PAYLOAD, object_length
from files.errors import FileTooLarge, UploadLost
from files.models import FileRecord, StoredObject
from files.records.names import BadName
from files.rotation import rewrapping
from files.storage import StoreError
from files.upkeep import sweeping
from files.vault import stored_objects, storing
from tests.files.conftest import CONTENT, Store

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

from tests.files.vault.faults import PART, StoreTrouble, read

State = StoredObject.State
Nothing = Callable[[], bool]


@pytest.mark.parametrize("content", [b"", b"x", CONTENT, bytes(FRAME_PAYLOAD + 1)])
def test_what_is_stored_is_read_back(store: Store, alice: User, content: bytes) -> None:
    record = store(alice, content)
    assert read(record) == content
    row = record.current
    assert (record.size, row.size, row.object_size) == (
        len(content),
        len(content),
        object_length(len(content)),
    )
    assert (row.state, row.sealed, row.creator) == (State.LIVE, True, alice)


def test_the_store_gets_ciphertext_under_a_name_that_says_nothing(
    store: Store, alice: User, s3: S3Client, settings: Any
) -> None:
    record = store(alice, CONTENT, name="fox.txt")
    [found] = s3.list_objects_v2(Bucket=settings.S3_BUCKET)["Contents"]
    kept = s3.get_object(Bucket=settings.S3_BUCKET, Key=found["Key"])
    raw = kept["Body"].read()
    assert b"fox" not in raw
    assert len(raw) == object_length(len(CONTENT))
    assert "fox" not in found["Key"]
    assert str(record.id) not in found["Key"]
    assert kept["ContentType"] == "application/octet-stream"
    assert kept["Metadata"] == {}


def test_the_row_is_there_before_the_first_byte_and_knows_its_multipart(
    alice: User, s3: S3Client, settings: Any
) -> None:
    upload = storing.Upload(alice, name="big.bin")
    row = StoredObject.objects.get()
    assert (row.state, row.sealed, row.file_id) == (State.WRITING, False, upload.file_id)
    assert rewrapping.pending() == 0
    upload.write(bytes(2 * PART))
    row.refresh_from_db()
    [begun] = s3.list_multipart_uploads(Bucket=settings.S3_BUCKET)["Uploads"]
    assert (row.multipart_id, row.object_name) == (begun["UploadId"], begun["Key"])
    upload.finish()
    [record] = storing.publish([upload])
    assert record.current.multipart_id == ""
    assert read(record) == bytes(2 * PART)


def test_a_bad_name_begins_nothing(alice: User, nothing_left: Nothing) -> None:
    with pytest.raises(BadName):
        storing.Upload(alice, name="..")
    assert nothing_left()


def test_a_declared_size_over_the_limit_begins_nothing(
    alice: User, settings: Any, nothing_left: Nothing
) -> None:
    settings.MAX_UPLOAD_SIZE = 10
    with pytest.raises(FileTooLarge, match="limit of 10 bytes") as error:
        storing.Upload(alice, name="a", size=11)
    assert error.value.limit == 10
    assert nothing_left()


def test_the_limit_holds_while_bytes_arrive(
    alice: User, settings: Any, nothing_left: Nothing
) -> None:
    settings.MAX_UPLOAD_SIZE = 10
    storing.store(alice, [b"12345", b"67890"], name="a")
    FileRecord.objects.get()
    with pytest.raises(FileTooLarge):
        storing.store(alice, [b"12345", b"678901"], name="b")
    assert [record.name for record in FileRecord.objects.all()] == ["a"]
    assert StoredObject.objects.count() == 1


def test_an_upload_that_was_not_finished_is_not_published(
    alice: User, nothing_left: Nothing
) -> None:
    upload = storing.Upload(alice, name="a")
    with pytest.raises(ValueError, match="finished before"):
        storing.publish([upload])
    upload.abort()
    assert nothing_left()


@pytest.mark.parametrize(
    "steps",
    [
        [],
        ["small"],
        ["large"],
        ["large", "large"],
        ["finish"],
        ["small", "finish"],
        ["large", "finish"],
    ],
)
def test_an_abort_leaves_nothing_wherever_it_comes(
    alice: User,
    steps: list[str],
    nothing_left: Nothing,
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    upload = storing.Upload(alice, name="a")
    for step in steps:
        if step == "finish":
            upload.finish()
        else:
            upload.write(bytes(2 * PART if step == "large" else 5))
    upload.abort()
    assert nothing_left()
    upload.abort()
    [event] = events("upload_aborted")
    assert event["file_id"] == upload.file_id
    assert event["size"] == upload.size


@pytest.mark.parametrize("chunks", [[CONTENT], [bytes(2 * PART)]], ids=["put", "multipart"])
def test_an_object_that_may_still_arrive_is_looked_for_by_a_sweep(
    alice: User,
    s3: S3Client,
    chunks: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    store_is_empty: Nothing,
    nothing_left: Nothing,
) -> None:
    client = stored_objects.storage().client
    original = client._make_api_call  # type: ignore[attr-defined]

    def call(operation: str, parameters: dict[str, Any]) -> Any:
        if operation in ("PutObject", "CompleteMultipartUpload"):
            raise ReadTimeoutError(endpoint_url="http://store.invalid")
        return original(operation, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(client, "_make_api_call", call)
        with pytest.raises(StoreError):
            storing.store(alice, chunks, name="a")
    assert store_is_empty()
    row = StoredObject.objects.get()
    assert row.state == State.DOOMED
    # There it comes.
    client.put_object(
        Bucket=stored_objects.storage().bucket_name, Key=row.object_name, Body=b"late"
    )
    sweeping.sweep(now=timezone.now() + timedelta(hours=2))
    assert nothing_left()


def test_an_abort_after_publishing_changes_nothing(alice: User, s3: S3Client) -> None:
    upload = storing.Upload(alice, name="a")
    upload.write(CONTENT)
    upload.finish()
    [record] = storing.publish([upload])
    upload.abort()
    assert read(record) == CONTENT


def test_a_lost_answer_to_the_commit_costs_no_file(
    alice: User, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = storing.Upload(alice, name="a")
    upload.write(CONTENT)
    upload.finish()

    class AnswerLost:
        """The transaction of `publish`, whose commit works and whose answer does not come."""

        def __init__(self) -> None:
            self._inner = transaction.atomic()

        def __enter__(self) -> None:
            self._inner.__enter__()

        def __exit__(self, *failure: Any) -> None:
            self._inner.__exit__(*failure)
            raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(storing, "transaction", SimpleNamespace(atomic=AnswerLost))
        with pytest.raises(OperationalError):
            storing.publish([upload])
    upload.abort()
    assert read(FileRecord.objects.get()) == CONTENT


def test_several_uploads_become_files_together_or_not_at_all(
    alice: User, nothing_left: Nothing, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    uploads = [storing.Upload(alice, name=name) for name in ("a", "b", "c")]
    for upload in uploads:
        upload.write(CONTENT)
        upload.finish()
    # The last one was swept away meanwhile.
    StoredObject.objects.filter(file_id=uploads[2].file_id).update(state=State.DOOMED)
    with pytest.raises(UploadLost, match="upload again"):
        storing.publish(uploads)
    assert not FileRecord.objects.exists()
    assert events("file_uploaded") == []
    states = StoredObject.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [State.WRITING, State.WRITING, State.DOOMED]
    for upload in uploads:
        upload.abort()
    assert list(StoredObject.objects.values_list("file_id", flat=True)) == [uploads[2].file_id]


OPERATIONS = [
    (5, "PutObject", 1),
    (5, "GetObject", 1),
    (PART + 1, "CreateMultipartUpload", 1),
    (PART + 1, "UploadPart", 1),
    (PART + 1, "UploadPart", 2),
    (PART + 1, "CompleteMultipartUpload", 1),
    (PART + 1, "GetObject", 1),
]


@pytest.mark.parametrize(("size", "operation", "call"), OPERATIONS)
def test_one_failing_call_leaves_nothing(
    alice: User,
    trouble: StoreTrouble,
    nothing_left: Nothing,
    size: int,
    operation: str,
    call: int,
) -> None:
    trouble.begin(operation, call)
    with pytest.raises(StoreError):
        storing.store(alice, [bytes(size)], name="a")
    assert operation in trouble.calls
    assert nothing_left()


@pytest.mark.parametrize("size", [5, PART + 1])
def test_a_store_that_is_gone_leaves_a_row_that_a_sweep_finishes(
    alice: User, trouble: StoreTrouble, nothing_left: Nothing, settings: Any, size: int
) -> None:
    settings.DOOMED_GRACE *= 0
    storing.store(alice, [bytes(size)], name="trial")
    needed, points = len(trouble.calls), 0
    FileRecord.objects.all().delete()
    StoredObject.objects.all().update(state=State.DOOMED)
    sweeping.sweep()
    for point in range(1, needed + 1):
        trouble.calls.clear()
        trouble.begin(call=point)
        with pytest.raises(StoreError):
            storing.store(alice, [bytes(size)], name="a")
        assert not FileRecord.objects.exists()
        assert [row.state for row in StoredObject.objects.all()] == [State.DOOMED]
        trouble.end()
        assert sweeping.sweep().purged == 1
        assert nothing_left()
        points += 1
    assert points == needed >= 2


def test_an_abort_survives_a_database_that_is_gone(
    alice: User, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = storing.Upload(alice, name="a")
    upload.write(CONTENT)

    def gone(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", gone)
        upload.abort()
    [row] = StoredObject.objects.all()
    assert row.state == State.WRITING  # The sweep's, once it has expired.


def test_bytes_that_do_not_come_back_as_written_are_refused(
    alice: User, monkeypatch: pytest.MonkeyPatch, nothing_left: Nothing
) -> None:
    client = stored_objects.storage().client
    original = client.put_object

    def flipped(**parameters: Any) -> Any:
        body = bytearray(parameters.pop("Body").read())
        body[100] ^= 1
        return original(Body=bytes(body), **parameters)

    monkeypatch.setattr(client, "put_object", flipped)
    with pytest.raises(Damaged):
        storing.store(alice, [CONTENT], name="a")
    assert nothing_left()


def test_an_exception_of_the_source_leaves_nothing(alice: User, nothing_left: Nothing) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(2 * PART)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        storing.store(alice, broken(), name="a")
    assert nothing_left()
