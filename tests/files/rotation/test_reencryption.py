"""Re-encryption: new key, new object, the same file; and whatever fails, the file as it was."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.crypto.fernetkey import generate_master_key
from files.crypto.heldkey import hold
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import KeyRecord, KeyState
from files.crypto.stream.keys import derive_keys
from files.crypto.stream.layout import FRAME_PAYLOAD
from files.errors import FileDamaged, KeyNeeded, NotAKey, QuotaExceeded, WrongFileKey
from files.keys import custody
from files.keys.custody import UserKey
from files.keys.master_keys import keyring
from files.keys.wrapping_history import ids_in
from files.models import FileRecord, Grant, StoredObject, UploadSession
from files.rotation import reencryption, rewrapping
from files.rotation.reencryption import reencrypt
from files.storage import EncryptedS3Storage, parts
from files.upkeep import sweeping
from files.vault import continuing, opening, removing, resumable, stored_objects, storing
from runtime import leases
from tests.files.conftest import CONTENT, PASSPHRASE, Store, UseKeys
from tests.files.vault.faults import PART, read

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

Events = Callable[[str], list[dict[str, Any]]]
State = StoredObject.State
USER_KEY = generate_master_key()


class Killed(BaseException):
    """The process ends here."""


def states() -> list[str]:
    return sorted(StoredObject.objects.values_list("state", flat=True))


def sweep_later() -> sweeping.Swept:
    """A sweep once every grace is over."""
    return sweeping.sweep(now=timezone.now() + timedelta(days=30))


def objects(s3: S3Client) -> int:
    bucket = stored_objects.storage().bucket_name
    return s3.list_objects_v2(Bucket=bucket)["KeyCount"]


def holding(record: FileRecord, user_key: str = USER_KEY) -> FileRecord:
    """Turn a file of managed custody into a held one."""
    row = record.current
    found = keyring().unwrap(
        row.wrapped, context=row.context, size=row.size, custody=KeyCustody.MANAGED
    )
    wrapped = keyring().wrap(
        KeyRecord(
            state=KeyState.SEALED,
            context=row.context,
            size=row.size,
            commitment=found.commitment,
            custody=KeyCustody.HELD,
            material=hold(found.material, user_key, row.context),
        )
    )
    StoredObject.objects.filter(pk=row.pk).update(custody="held", wrapped_key=wrapped.token)
    FileRecord.objects.filter(pk=record.pk).update(custody="held")
    custody.note(row, UserKey(user_key))
    return FileRecord.objects.select_related("current").get(pk=record.pk)


@pytest.mark.parametrize("size", [0, 1, FRAME_PAYLOAD, FRAME_PAYLOAD + 1, 2 * PART + 7])
def test_the_bytes_get_a_new_key_and_object_and_stay_the_same(
    store: Store, alice: User, s3: S3Client, size: int
) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    record = store(alice, content)
    old = record.current
    new = reencrypt(record).current
    assert read(FileRecord.objects.get()) == content
    assert {old.pk, old.stream_id, old.object_name} & {new.pk, new.stream_id, new.object_name} == (
        set()
    )
    assert bytes(old.wrapped_key) != bytes(new.wrapped_key)
    assert (new.state, new.size, new.lease, new.reencrypts) == (State.LIVE, size, "", True)
    assert states() == ["doomed", "live"]
    assert objects(s3) == 2
    assert sweep_later() == sweeping.Swept(purged=1)
    assert objects(s3) == 1
    assert read(FileRecord.objects.get()) == content


def test_everything_else_of_the_file_stays(
    record: FileRecord, bob: User, give: Callable[..., Grant]
) -> None:
    give(record, bob)

    def kept() -> dict[str, Any]:
        row: dict[str, Any] = dict(FileRecord.objects.values().get())
        return {name: value for name, value in row.items() if name != "current_id"}

    before = kept()
    assert reencrypt(record).current_id != record.current_id
    assert kept() == before
    assert rule.visible_to(Person(bob)).exists()


def test_it_is_audited_with_who_did_it(record: FileRecord, alice: User, events: Events) -> None:
    reencrypt(record, actor=alice)
    [event] = events("file_reencrypted")
    assert (event["file_id"], event["actor"], event["size"]) == (record.pk, "alice", record.size)
    assert events("file_uploaded") == events("file_uploaded")[:1]


def test_a_download_that_is_running_ends_well(store: Store, alice: User) -> None:
    content = bytes(4 * FRAME_PAYLOAD)
    record = store(alice, content)
    chunks = opening.open_file(record).chunks()
    first = next(chunks)
    reencrypt(record)
    assert first + b"".join(chunks) == content
    # And one that was opened before, but had fetched nothing.
    assert b"".join(opening.open_file(record).chunks()) == content


def test_progress_counts_every_byte_once(store: Store, alice: User) -> None:
    record = store(alice, bytes(PART + 1))
    told: list[float] = []
    reencrypt(record, progress=told.append)
    assert sum(told) == record.size


def test_quotas_are_not_charged_twice(store: Store, alice: User) -> None:
    record = store(alice)
    User.objects.filter(pk=alice.pk).update(quota=record.size)
    alice.refresh_from_db()
    assert read(reencrypt(record, actor=alice)) == CONTENT
    with pytest.raises(QuotaExceeded):
        store(alice)


def test_the_client_of_a_resumable_upload_can_still_ask(alice: User, s3: S3Client) -> None:
    session = resumable.create(alice, name="a", length=3)
    with continuing.Continuation(session, 0) as turn:
        turn.write(b"abc")
        record = turn.settle()
    assert record is not None
    new = reencrypt(record).current
    sweep_later()
    assert UploadSession.objects.filter(completed_at=None).count() == 0
    assert not UploadSession.objects.exclude(object=new).exists()


# --- What is refused, and what fails -------------------------------------------------------------


def test_a_damaged_source_is_marked_and_nothing_else_happens(
    store: Store, alice: User, s3: S3Client, events: Events
) -> None:
    record = store(alice, bytes(PART + 1))
    bucket, name = stored_objects.storage().bucket_name, record.current.object_name
    body = bytearray(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
    body[-FRAME_PAYLOAD] ^= 1
    s3.put_object(Bucket=bucket, Key=name, Body=bytes(body))
    for _ in range(2):
        with pytest.raises(FileDamaged):
            reencrypt(record)
    assert states() == ["damaged"]
    assert FileRecord.objects.get().current == record.current
    assert objects(s3) == 1
    assert len(events("damage_found")) == 1
    assert events("file_reencrypted") == []


def test_a_new_object_that_does_not_read_back_changes_nothing(
    store: Store, alice: User, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = store(alice, bytes(3 * FRAME_PAYLOAD))
    real = EncryptedS3Storage.reader

    def spoilt(self: Any, name: str, key: Any) -> Any:
        if name != record.current.object_name:
            bucket = self.bucket_name
            body = bytearray(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
            body[1000] ^= 1
            s3.put_object(Bucket=bucket, Key=name, Body=bytes(body))
        return real(self, name, key)

    monkeypatch.setattr(EncryptedS3Storage, "reader", spoilt)
    with pytest.raises(reencryption.NotVerified):
        reencrypt(record)
    assert states() == ["live"]
    assert objects(s3) == 1
    assert read(FileRecord.objects.get()) == bytes(3 * FRAME_PAYLOAD)


def test_a_file_that_is_deleted_meanwhile_is_gone_and_so_is_the_new_object(
    store: Store, alice: User, nothing_left: Callable[[], bool]
) -> None:
    record = store(alice, bytes(FRAME_PAYLOAD + 1))

    def delete(_: float) -> None:
        if FileRecord.objects.exists():
            removing.remove(FileRecord.objects.get(), actor=alice)

    with pytest.raises(reencryption.FileChanged):
        reencrypt(record, progress=delete)
    with pytest.raises(reencryption.FileChanged):
        reencrypt(record)
    sweep_later()
    assert nothing_left()


def test_a_deletion_that_looked_before_the_swap_takes_both_objects(
    record: FileRecord,
    alice: User,
    nothing_left: Callable[[], bool],
    django_capture_on_commit_callbacks: Any,
) -> None:
    reencrypt(record)
    with django_capture_on_commit_callbacks(execute=True):
        removing.remove(record, actor=alice)
    assert nothing_left()


def test_a_file_given_away_meanwhile_stays_given(record: FileRecord, bob: User) -> None:
    def give_away(_: float) -> None:
        FileRecord.objects.filter(pk=record.pk).update(owner=bob, name="other")

    new = reencrypt(record, progress=give_away)
    assert (new.owner, new.name) == (bob, "other")


def test_what_the_progress_raises_leaves_the_file_as_it_was(
    store: Store, alice: User, s3: S3Client
) -> None:
    record = store(alice, bytes(2 * PART))

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencrypt(record, progress=interrupt)
    assert states() == ["live"]
    assert objects(s3) == 1


# --- Killed, and several at once -----------------------------------------------------------------


@pytest.fixture
def dead_lease() -> str:
    """The lease of a process that has ended, on this machine."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        lease = f"{leases._host()}/{other.pid}/{leases._started(other.pid)}/token"
        other.kill()
    return lease


def kill_at(step: int, record: FileRecord, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let a re-encryption die at that call to the store or the database; whether it got so far."""
    steps = itertools.count(1)

    def dying(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(steps) == step:
                raise Killed
            return real(*args, **kwargs)

        return call

    pools = []

    def pool(*args: Any, **kwargs: Any) -> ThreadPoolExecutor:
        pools.append(ThreadPoolExecutor(*args, **kwargs))
        return pools[-1]

    with monkeypatch.context() as patch:
        patch.setattr(parts, "ThreadPoolExecutor", pool)
        client = stored_objects.storage().client
        for name in ("create_multipart_upload", "upload_part", "complete_multipart_upload"):
            patch.setattr(client, name, dying(getattr(client, name)))
        for name in ("copy", "swap", "_update", "_claim", "give_up"):
            patch.setattr(
                reencryption._Reencryption, name, dying(getattr(reencryption._Reencryption, name))
            )
        patch.setattr(reencryption._Reencryption, "give_up", lambda self: None)
        try:
            reencrypt(record)
        except Killed:
            # The threads of a process die with it.
            for one in pools:
                one.shutdown(cancel_futures=True)
            return True
    return False


def test_killed_anywhere_nothing_is_lost_and_nothing_orphaned(
    store: Store,
    alice: User,
    s3: S3Client,
    dead_lease: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = bytes(range(256)) * (2 * PART // 256) + b"7"
    record = store(alice, content)
    died = 0
    for step in itertools.count(1):
        if not kill_at(step, record, monkeypatch):
            break
        died += 1
        assert read(FileRecord.objects.get()) == content
        StoredObject.objects.filter(state=State.WRITING).update(lease=dead_lease)
        if step % 2:
            assert reencryption.remove_dead() <= 1
            assert states() == ["live"]
            assert objects(s3) == 1
    assert died >= 7
    assert FileRecord.objects.get().current_id != record.current_id
    sweep_later()
    assert (states(), objects(s3)) == (["live"], 1)
    assert not s3.list_multipart_uploads(Bucket=stored_objects.storage().bucket_name).get("Uploads")
    assert read(FileRecord.objects.get()) == content


def test_two_at_once_do_not_work_on_one_file(record: FileRecord) -> None:
    refused: list[int] = []

    def second(_: float) -> None:
        with pytest.raises(reencryption.AlreadyRunning):
            reencrypt(record)
        refused.append(1)

    reencrypt(record, progress=second)
    assert refused
    assert states() == ["doomed", "live"]


def test_one_that_was_not_heard_of_for_long_gives_way(record: FileRecord, s3: S3Client) -> None:
    def overtaken(_: float) -> None:
        long_ago = timezone.now() - stored_objects.REENCRYPTION_EXPIRY - timedelta(minutes=1)
        rows = StoredObject.objects.filter(state=State.WRITING, state_changed_at__gt=long_ago)
        if StoredObject.objects.filter(state=State.LIVE).get() == record.current:
            rows.update(state_changed_at=long_ago)
            reencrypt(record)

    with pytest.raises(reencryption.FileChanged):
        reencrypt(record, progress=overtaken)
    assert read(FileRecord.objects.get()) == CONTENT
    sweep_later()
    assert (states(), objects(s3)) == (["live"], 1)


def test_the_sweep_takes_dead_ones_long_before_uploads_expire(
    record: FileRecord, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kill_at(3, record, monkeypatch)
    assert states() == ["live", "writing"]
    later = timezone.now() + stored_objects.REENCRYPTION_EXPIRY
    assert sweeping.sweep(now=later - timedelta(minutes=1)) == sweeping.Swept()
    assert sweeping.sweep(now=later) == sweeping.Swept(abandoned=1)
    assert (states(), objects(s3)) == (["live"], 1)


# --- Held files ----------------------------------------------------------------------------------


def test_a_held_file_needs_its_key_and_keeps_it(store: Store, alice: User) -> None:
    record = holding(store(alice, bytes(FRAME_PAYLOAD + 1)))
    with pytest.raises(KeyNeeded):
        reencrypt(record, actor=alice)
    with pytest.raises(WrongFileKey):
        reencrypt(record, actor=alice, user_key=generate_master_key())
    with pytest.raises(NotAKey):
        reencrypt(record, actor=alice, user_key="nonsense")
    assert states() == ["live"]
    new = reencrypt(record, actor=alice, user_key=USER_KEY)
    assert (new.custody, new.current.custody) == ("held", "held")
    # The same key opens it, so it goes through once more.
    again = reencrypt(new, actor=alice, user_key=USER_KEY)
    assert again.current != new.current
    assert states() == ["doomed", "doomed", "live"]


def test_a_held_file_opens_by_its_passphrase_still(store: Store, alice: User) -> None:
    record = store(alice, key=UserKey.from_passphrase(PASSPHRASE))
    key = custody.typed_key(record, PASSPHRASE)
    reencrypt(record, actor=alice, user_key=key)
    now = FileRecord.objects.get(pk=record.pk)
    assert now.current != record.current
    assert custody.typed_key(now, PASSPHRASE) == key


def test_the_database_never_has_a_held_files_own_key_bare(
    store: Store, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = holding(store(alice))
    wrapped: list[KeyRecord] = []
    real = type(keyring()).wrap

    def noting(self: Any, key_record: KeyRecord) -> Any:
        wrapped.append(key_record)
        return real(self, key_record)

    monkeypatch.setattr(type(keyring()), "wrap", noting)
    new = reencrypt(record, user_key=USER_KEY).current
    assert len(wrapped) == 2
    for key_record in wrapped:
        assert len(key_record.material) > 32
        bare = derive_keys(key_record.material[:32], new.context)
        assert key_record.commitment != bare.commitment


# --- Which files ---------------------------------------------------------------------------------


def test_files_are_chosen_by_the_age_of_their_encryption(store: Store, alice: User) -> None:
    old, new = store(alice), store(alice)
    StoredObject.objects.filter(pk=old.current.pk).update(stream_created_at=1_000)
    cutoff = timezone.now() - timedelta(days=90)
    assert list(reencryption.select(encrypted_before=cutoff)) == [old]
    assert set(reencryption.select(encrypted_before=timezone.now() + timedelta(days=1))) == {
        old,
        new,
    }


def test_files_are_chosen_by_every_key_that_ever_wrapped_theirs(
    store: Store, alice: User, use_keys: UseKeys
) -> None:
    first, second, third = (generate_master_key() for _ in range(3))
    use_keys(first)
    one = store(alice)
    first_id = one.current.master_key_id
    begun = storing.Upload(alice, name="begun under the first")
    use_keys(second, first)
    two = store(alice)
    begun.finish()
    [three] = storing.publish([begun])
    rewrapping.rewrap()
    use_keys(third, second)
    rewrapping.rewrap()
    assert set(reencryption.select(master_key_id=first_id)) == {one, three}
    second_id = two.current.master_key_id
    assert set(reencryption.select(master_key_id=second_id)) == {one, two, three}
    reencrypt(one)
    assert set(reencryption.select(master_key_id=first_id)) == {three}
    reencrypt(three)
    assert not reencryption.select(master_key_id=first_id).exists()
    assert set(reencryption.select(master_key_id=second_id)) == {two}


def test_a_key_that_wrapped_only_while_it_was_written_counts(
    record: FileRecord, use_keys: UseKeys
) -> None:
    old_id = record.current.master_key_id
    first, second = generate_master_key(), generate_master_key()

    def rotate(_: float) -> None:
        use_keys(second, first, "dGVzdHMtb25seS1tYXN0ZXIta2V5LTAwMDAwMDAwMDA=")

    use_keys(first, "dGVzdHMtb25seS1tYXN0ZXIta2V5LTAwMDAwMDAwMDA=")
    new = reencrypt(record, progress=rotate).current
    [past] = ids_in(new.past_master_key_ids)
    assert past not in {old_id, new.master_key_id}
