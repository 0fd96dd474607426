"""Verifying one object: what is wrong is told apart, and only damage is ever marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from files.crypto.errors import Damaged
from files.crypto.fernetkey import generate_master_key
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.stream.encryption import Sealer
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD, TRAILER_LENGTH, object_length
from files.errors import FileDamaged, KeysMissing
from files.keys.master_keys import keyring
from files.models import FileRecord, StoredObject
from files.rotation import reencryption, rewrapping
from files.upkeep.verification import Finding, Outcome, clear_damage, mark, verify
from files.vault import opening, removing, stored_objects
from tests.files.conftest import CONTENT, Store, UseKeys
from tests.files.rotation.test_reencryption import holding
from tests.files.vault.faults import StoreTrouble, flip, read

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

State = StoredObject.State
Events = Callable[[str], list[dict[str, Any]]]
SIZE = 2 * FRAME_PAYLOAD + 7
LENGTH = object_length(SIZE)


@pytest.fixture
def three(store: Store, alice: User) -> FileRecord:
    """A file of three frames."""
    return store(alice, bytes(range(251)) * (SIZE // 251) + bytes(SIZE % 251))


@pytest.fixture
def raw(s3: S3Client, settings: Any) -> Callable[[FileRecord, Callable[[bytes], bytes]], None]:
    """Changes an object behind the vault's back."""

    def change(record: FileRecord, how: Callable[[bytes], bytes]) -> None:
        name, bucket = record.current.object_name, settings.S3_BUCKET
        data = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        s3.put_object(Bucket=bucket, Key=name, Body=how(data))

    return change


def checked(record: FileRecord, **options: Any) -> Finding:
    """Verified and marked, as a run does it."""
    row = StoredObject.objects.select_related("file").get(file_id=record.pk, state__in=LIVING)
    return mark(row, verify(row, **options))


LIVING = [State.LIVE, State.DAMAGED]


def state(record: FileRecord) -> str:
    return StoredObject.objects.get(pk=record.current.pk).state


# --- Well ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, FRAME_PAYLOAD, FRAME_PAYLOAD + 1])
def test_every_byte_is_read(store: Store, alice: User, size: int) -> None:
    told: list[int] = []
    finding = checked(store(alice, bytes(size)), each=told.append)
    assert (finding.outcome, finding.reason, finding.offset) == (Outcome.OK, "", None)
    assert sum(told) == size


def test_held_files_are_checked_without_content(record: FileRecord) -> None:
    told: list[int] = []
    assert checked(holding(record), each=told.append).outcome == Outcome.HELD
    assert told == []


def verified_before(record: FileRecord) -> None:
    StoredObject.objects.filter(pk=record.current.pk).update(verified_at=timezone.now())


@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
def test_a_frame_that_is_the_streams_and_was_not_digested_is_found(
    raw: Callable[..., None], three: FileRecord, before: bool
) -> None:
    """A store may keep both, where a client sent a part twice and other bytes the second time."""
    if before:
        verified_before(three)
    row = three.current
    key = keyring().unwrap(
        row.wrapped, context=row.context, size=row.size, custody=KeyCustody(row.custody)
    )
    frame = bytearray(FRAME_LENGTH)
    payload = b"o" * FRAME_PAYLOAD
    Sealer(key.material, row.context).seal_into(memoryview(frame), 1, payload, final=False)
    raw(three, lambda data: data[:FRAME_LENGTH] + bytes(frame) + data[2 * FRAME_LENGTH :])
    finding = checked(three)
    assert (finding.outcome, finding.marked) == (Outcome.DAMAGED, True)
    assert "digests" in finding.reason


# --- Damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
@pytest.mark.parametrize(
    ("how", "outcome", "offset"),
    [
        (lambda data: data[:-1], Outcome.TRUNCATED, LENGTH - 1),
        (lambda data: data[:FRAME_LENGTH], Outcome.TRUNCATED, FRAME_LENGTH),
        (lambda data: b"", Outcome.TRUNCATED, 0),
        (lambda data: data + b"x", Outcome.TOO_LONG, LENGTH),
        (lambda data: b"\0" + data[1:], Outcome.DAMAGED, 0),
        (
            lambda data: (
                data[: FRAME_LENGTH + 9]
                + bytes([data[FRAME_LENGTH + 9] ^ 1])
                + data[FRAME_LENGTH + 10 :]
            ),
            Outcome.DAMAGED,
            FRAME_LENGTH,
        ),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), Outcome.DAMAGED, 2 * FRAME_LENGTH),
        (
            lambda data: (
                data[FRAME_LENGTH : 2 * FRAME_LENGTH]
                + data[:FRAME_LENGTH]
                + data[2 * FRAME_LENGTH :]
            ),
            Outcome.DAMAGED,
            0,
        ),
    ],
    ids=["byte", "frame", "empty", "longer", "first", "second", "trailer", "swapped"],
)
def test_damage_is_told_apart_placed_and_marked(
    three: FileRecord,
    raw: Callable[..., None],
    events: Events,
    how: Callable[[bytes], bytes],
    outcome: Outcome,
    offset: int,
    before: bool,
) -> None:
    if before:
        verified_before(three)
    raw(three, how)
    finding = checked(three)
    assert (finding.outcome, finding.offset, finding.marked) == (outcome, offset, True)
    assert finding.reason
    assert state(three) == State.DAMAGED
    assert [event["file_id"] for event in events("damage_found")] == [three.pk]
    # A second look finds the same, and says it once.
    again = checked(three)
    assert (again.outcome, again.offset, again.marked) == (outcome, offset, True)
    assert len(events("damage_found")) == 1


@pytest.mark.parametrize("held", [False, True])
def test_a_missing_object_is_marked(
    record: FileRecord, s3: S3Client, settings: Any, held: bool
) -> None:
    if held:
        record = holding(record)
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=record.current.object_name)
    finding = checked(record)
    assert (finding.outcome, finding.offset, finding.marked) == (Outcome.MISSING, 0, True)
    assert state(record) == State.DAMAGED


@pytest.mark.parametrize(
    ("how", "outcome", "offset"),
    [
        (lambda data: data[:-1], Outcome.TRUNCATED, LENGTH - 1),
        (lambda data: data[:7], Outcome.TRUNCATED, 7),
        (lambda data: data + b"x", Outcome.TOO_LONG, LENGTH),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), Outcome.DAMAGED, LENGTH - TRAILER_LENGTH),
    ],
    ids=["byte", "most", "longer", "trailer"],
)
def test_damage_of_a_held_file_shows_from_outside(
    three: FileRecord,
    raw: Callable[..., None],
    how: Callable[[bytes], bytes],
    outcome: Outcome,
    offset: int,
) -> None:
    record = holding(three)
    raw(record, how)
    finding = checked(record)
    assert (finding.outcome, finding.offset, finding.marked) == (outcome, offset, True)


def test_a_held_object_that_was_written_anew_is_reported_and_not_marked(
    three: FileRecord, raw: Callable[..., None]
) -> None:
    record = holding(three)
    raw(record, lambda data: b"\0" + data[1:])
    assert checked(record).outcome == Outcome.REPLACED
    assert state(record) == State.LIVE


# --- No damage -----------------------------------------------------------------------------------


def other_key(record: FileRecord, store: Store, use_keys: UseKeys) -> None:
    use_keys(generate_master_key())


def altered(record: FileRecord, store: Store, use_keys: UseKeys) -> None:
    token = bytes(record.current.wrapped_key)
    wrapped = token[:-1] + bytes([token[-1] ^ 1])
    StoredObject.objects.filter(pk=record.current.pk).update(wrapped_key=wrapped)


def anothers(record: FileRecord, store: Store, use_keys: UseKeys) -> None:
    theirs = store(record.owner).current.wrapped_key
    StoredObject.objects.filter(pk=record.current.pk).update(wrapped_key=theirs)


def another_size(record: FileRecord, store: Store, use_keys: UseKeys) -> None:
    FileRecord.objects.filter(pk=record.pk).update(size=1)


@pytest.mark.parametrize("how", [other_key, altered, anothers, another_size])
@pytest.mark.parametrize("held", [False, True])
def test_a_key_that_does_not_fit_is_no_damage(
    record: FileRecord,
    store: Store,
    use_keys: UseKeys,
    events: Events,
    how: Callable[..., None],
    held: bool,
) -> None:
    record = holding(record) if held else record
    how(record, store, use_keys)
    finding = checked(record)
    assert (finding.outcome, finding.marked) == (Outcome.WRONG_KEY, False)
    assert finding.reason
    assert state(record) == State.LIVE
    assert events("damage_found") == []
    with pytest.raises((FileDamaged, KeysMissing)):
        read(record)
    assert state(record) == State.LIVE


def test_a_key_that_is_rewrapped_meanwhile_is_read_again(
    record: FileRecord, use_keys: UseKeys, settings: Any
) -> None:
    old = "dGVzdHMtb25seS1tYXN0ZXIta2V5LTAwMDAwMDAwMDA="
    new = generate_master_key()
    row = StoredObject.objects.select_related("file").get()
    use_keys(new, old)
    assert rewrapping.rewrap().rewrapped == 1
    use_keys(new)
    assert verify(row).outcome == Outcome.OK


@pytest.mark.parametrize("held", [False, True])
def test_an_outage_is_no_damage(
    record: FileRecord, monkeypatch: pytest.MonkeyPatch, s3: S3Client, held: bool
) -> None:
    record = holding(record) if held else record
    trouble = StoreTrouble(monkeypatch, s3).begin()
    assert checked(record).outcome == Outcome.UNREACHABLE
    assert state(record) == State.LIVE
    trouble.end()
    assert checked(record).outcome == (Outcome.HELD if held else Outcome.OK)


def test_an_outage_while_the_length_is_asked_is_no_damage(
    three: FileRecord,
    raw: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    s3: S3Client,
) -> None:
    raw(three, lambda data: data[:-1])
    StoreTrouble(monkeypatch, s3).begin("HeadObject")
    assert checked(three).outcome == Outcome.UNREACHABLE
    assert state(three) == State.LIVE


def meanwhile(monkeypatch: pytest.MonkeyPatch, s3: S3Client, act: Callable[[], object]) -> None:
    """Do something of one's own right before the store is asked for the object."""
    client = stored_objects.storage().client
    original = client._make_api_call  # type: ignore[attr-defined]
    waiting = [act]

    def call(operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "GetObject" and waiting:
            waiting.pop()()
        return original(operation, parameters)

    monkeypatch.setattr(client, "_make_api_call", call)


def test_a_file_that_is_deleted_meanwhile_is_no_damage(
    record: FileRecord,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    s3: S3Client,
    events: Events,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def delete() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            removing.remove(record, actor=alice)

    meanwhile(monkeypatch, s3, delete)
    row = StoredObject.objects.select_related("file").get()
    finding = mark(row, verify(row))
    assert (finding.outcome, finding.marked) == (Outcome.GONE, False)
    assert not StoredObject.objects.exists()
    assert events("damage_found") == []


def test_a_file_that_is_deleted_before_it_is_marked_is_no_damage(
    record: FileRecord, alice: User, s3: S3Client, settings: Any, events: Events
) -> None:
    row = StoredObject.objects.select_related("file").get()
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=row.object_name)
    finding = verify(row)
    assert finding.outcome == Outcome.MISSING
    removing.remove(record, actor=alice)
    assert mark(row, finding).outcome == Outcome.GONE
    assert events("damage_found") == []


def test_a_file_that_is_reencrypted_meanwhile_is_no_damage(
    record: FileRecord, monkeypatch: pytest.MonkeyPatch, s3: S3Client, settings: Any
) -> None:
    row = StoredObject.objects.select_related("file").get()

    def swap() -> None:
        reencryption.reencrypt(record)
        s3.delete_object(Bucket=settings.S3_BUCKET, Key=row.object_name)

    meanwhile(monkeypatch, s3, swap)
    assert mark(row, verify(row)).outcome == Outcome.GONE
    assert checked(record).outcome == Outcome.OK


# --- Unmarking -----------------------------------------------------------------------------------


@pytest.fixture
def mended(record: FileRecord) -> FileRecord:
    """Marked as damaged, though it is as it was written."""
    opening.mark_damaged(record.current, Damaged("a test"))
    return record


def test_nothing_is_unmarked_unasked(mended: FileRecord, events: Events) -> None:
    finding = checked(mended)
    assert (finding.outcome, finding.marked) == (Outcome.STILL_MARKED, True)
    assert state(mended) == State.DAMAGED
    assert events("damage_cleared") == []


def test_what_reads_completely_is_unmarked_when_asked(mended: FileRecord, events: Events) -> None:
    finding = checked(mended, unmark={Outcome.OK})
    assert (finding.outcome, finding.unmarked) == (Outcome.OK, True)
    assert read(mended) == CONTENT
    assert [event["file_id"] for event in events("damage_cleared")] == [mended.pk]


def test_what_is_still_damaged_stays_marked(
    mended: FileRecord, s3: S3Client, settings: Any, events: Events
) -> None:
    flip(s3, settings.S3_BUCKET, mended.current.object_name, 50)
    assert checked(mended, unmark={Outcome.OK}).outcome == Outcome.DAMAGED
    assert state(mended) == State.DAMAGED
    assert events("damage_cleared") == []


def test_a_held_file_is_unmarked_only_by_name(mended: FileRecord) -> None:
    record = holding(mended)
    assert checked(record, unmark={Outcome.OK}).outcome == Outcome.STILL_MARKED
    assert checked(record, unmark={Outcome.OK, Outcome.HELD}).unmarked
    assert state(record) == State.LIVE


def test_only_a_mark_is_cleared(record: FileRecord, events: Events) -> None:
    assert not clear_damage(record.current)
    assert events("damage_cleared") == []
