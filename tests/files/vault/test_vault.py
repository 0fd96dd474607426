"""Store, open, remove: whatever fails and wherever, nothing is half there and nothing is lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from audit.models import AuditEvent
from files.crypto.errors import Damaged
from files.crypto.keyring import LocalMasterKey, generate_master_key
from files.crypto.stream import FRAME_LENGTH, FRAME_PAYLOAD, frames_per_part, object_length
from files.errors import FileDamaged, FileTooLarge, KeysMissing, UploadLost
from files.keys import wrapping
from files.models import FileRecord, Grant, StoredObject
from files.records.names import BadName
from files.rotation import rewrapping
from files.storage import StoreError
from files.upkeep import sweeping
from files.vault import opening, removing, stored_objects, storing
from tests.files.conftest import CONTENT, Store, UseKeys

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

State = StoredObject.State
Nothing = Callable[[], bool]
PART = frames_per_part(None) * FRAME_PAYLOAD
"""Bytes of plaintext in one part: with one more, the upload is a multipart one."""


class StoreTrouble:
    """Makes the store fail, from the n-th call of one S3 operation on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> None:
        self._patch = monkeypatch
        self.calls: list[str] = []
        self._failing: dict[str, int] = {}
        client = stored_objects.storage().client
        original = client._make_api_call  # type: ignore[attr-defined]

        def call(operation: str, parameters: dict[str, Any]) -> Any:
            self.calls.append(operation)
            first = self._failing.get(operation) or self._failing.get("*")
            made = self.calls.count(operation) if operation in self._failing else len(self.calls)
            if first is not None and made >= first:
                raise EndpointConnectionError(endpoint_url="http://store.invalid")
            return original(operation, parameters)

        monkeypatch.setattr(client, "_make_api_call", call)

    def begin(self, operation: str = "*", call: int = 1) -> Self:
        self._failing[operation] = call
        return self

    def end(self) -> None:
        self._failing.clear()


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> StoreTrouble:
    return StoreTrouble(monkeypatch, s3)


def read(record: FileRecord, start: int = 0, stop: int | None = None) -> bytes:
    opened = opening.open_file(FileRecord.objects.select_related("current").get(pk=record.pk))
    return b"".join(opened.chunks(start, stop))


# --- Store ------------------------------------------------------------------------------------


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


def test_an_upload_is_audited_once(
    store: Store, alice: User, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    record = store(alice)
    [event] = events("file_uploaded")
    assert event.pop("ms") >= 0
    assert [event] == [
        {"file_id": record.id, "actor": "alice", "size": len(CONTENT), "custody": "managed"}
    ]
    assert events("upload_aborted") == []


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


# --- Open and damage --------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (10, 20), (5, None), (0, 10**9)])
def test_a_part_of_a_file_is_read(record: FileRecord, start: int, stop: int | None) -> None:
    assert read(record, start, stop) == CONTENT[start:stop]


def flip(s3: S3Client, bucket: str, name: str, at: int) -> None:
    raw = bytearray(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
    raw[at] ^= 1
    s3.put_object(Bucket=bucket, Key=name, Body=bytes(raw))


def cut(s3: S3Client, bucket: str, name: str) -> None:
    raw = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
    s3.put_object(Bucket=bucket, Key=name, Body=raw[:-1])


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


# --- Remove -----------------------------------------------------------------------------------

Commit = DjangoCaptureOnCommitCallbacks


def test_a_removed_file_is_gone_everywhere(
    record: FileRecord,
    alice: User,
    bob: User,
    give: Callable[..., Grant],
    nothing_left: Nothing,
    events: Callable[[str], list[dict[str, Any]]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    give(record, bob)
    file_id = record.id
    with django_capture_on_commit_callbacks(execute=True):
        removing.remove(record, actor=alice)
    assert nothing_left()
    assert not Grant.objects.exists()
    assert events("file_deleted") == [{"file_id": file_id, "actor": "alice", "size": len(CONTENT)}]


def test_the_object_goes_only_once_the_deletion_stands(
    record: FileRecord, alice: User, store_is_empty: Nothing
) -> None:
    removing.remove(record, actor=alice)  # Inside a transaction that does not commit.
    assert StoredObject.objects.get().state == State.DOOMED
    assert not store_is_empty()


def test_a_file_is_removed_once(
    record: FileRecord,
    alice: User,
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    other = FileRecord.objects.select_related("current").get()
    removing.remove(record, actor=alice)
    removing.remove(other, actor=alice)
    assert len(events("file_deleted")) == 1


def test_a_file_removed_while_the_store_is_down_is_gone_for_people(
    record: FileRecord,
    alice: User,
    trouble: StoreTrouble,
    nothing_left: Nothing,
    settings: Any,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    trouble.begin()
    with django_capture_on_commit_callbacks(execute=True):
        removing.remove(record, actor=alice)
    assert not FileRecord.objects.exists()
    assert StoredObject.objects.get().state == State.DOOMED
    trouble.end()
    settings.DOOMED_GRACE *= 0
    sweeping.sweep()
    assert nothing_left()


# --- The keyring against the database ---------------------------------------------------------


def test_the_keyring_is_checked_against_every_row_that_may_be_read(
    store: Store, alice: User, use_keys: UseKeys
) -> None:
    first, second = generate_master_key(), generate_master_key()
    use_keys(first)
    store(alice)
    store(alice)
    use_keys(second)
    unfinished = storing.Upload(alice, name="a")
    use_keys(generate_master_key())
    with pytest.raises(KeysMissing) as error:
        wrapping.check_keyring()
    assert error.value.missing == {LocalMasterKey(first).id: 2, LocalMasterKey(second).id: 1}
    assert f"key {LocalMasterKey(first).id} is needed by 2 files" in str(error.value)
    assert first not in str(error.value)
    use_keys(second, first)
    wrapping.check_keyring()
    unfinished.abort()
    use_keys(first)
    wrapping.check_keyring()


def test_a_doomed_row_needs_no_key(record: FileRecord, alice: User, use_keys: UseKeys) -> None:
    removing.remove(record, actor=alice)
    use_keys(generate_master_key())
    wrapping.check_keyring()


def test_no_event_of_a_file_holds_its_name_or_content(record: FileRecord) -> None:
    for event in AuditEvent.objects.all():
        assert "fox" not in str(event.data)


def test_every_file_has_an_id_and_a_stream_of_its_own(store: Store, alice: User) -> None:
    rows = [store(alice).current for _ in range(3)]
    assert len({row.stream_id for row in rows} | {row.file_id for row in rows}) == 6
    assert all(isinstance(row.stream_id, uuid.UUID) for row in rows)
