"""Rotating the master key: every key is rewrapped, none is lost, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import connection
from django.utils import timezone

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.errors import KeyRetired, KeysMissing
from files.keys import second_factors, wrapping
from files.keys.master_keys import keyring
from files.keys.wrapping_history import ids_in
from files.models import FileRecord, MasterKey, StoredObject
from files.rotation import rewrapping
from files.vault import opening, removing, storing
from tests.files.conftest import CONTENT, Store, UseKeys
from tests.files.vault.faults import read

Events = Callable[[str], list[dict[str, Any]]]
OLD, NEW = generate_master_key(), generate_master_key()
CHANGING = {"wrapped_key", "master_key_id", "past_master_key_ids"}
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id


@pytest.fixture
def seven(store: Store, alice: User, use_keys: UseKeys) -> list[FileRecord]:
    """Seven files under the old key; the new one is now the primary."""
    use_keys(OLD)
    records = [store(alice, b"%d " % number + CONTENT) for number in range(7)]
    use_keys(NEW, OLD)
    return records


def under(key_id: str) -> int:
    return StoredObject.objects.filter(master_key_id=key_id).count()


def readable(records: list[FileRecord]) -> bool:
    return all(read(record) == b"%d " % n + CONTENT for n, record in enumerate(records))


@pytest.mark.parametrize("size", [1, 3, 7, 500])
def test_every_key_is_rewrapped_in_batches(
    seven: list[FileRecord], use_keys: UseKeys, size: int
) -> None:
    batches: list[int] = []
    assert rewrapping.pending() == 7
    done = rewrapping.rewrap(batch_size=size, progress=batches.append)
    assert done == rewrapping.Rewrapped(NEW_ID, rewrapped=7)
    assert sum(batches) == 7
    assert max(batches) <= size
    assert (under(NEW_ID), rewrapping.pending()) == (7, 0)
    assert readable(seven)
    use_keys(NEW)
    wrapping.check_keyring()
    assert readable(seven)


def test_nothing_but_the_wrapping_changes(seven: list[FileRecord], s3: Any, settings: Any) -> None:
    def rest() -> list[Any]:
        rows = StoredObject.objects.order_by("pk").values()
        return [{k: v for k, v in row.items() if k not in CHANGING} for row in rows]

    def etags() -> dict[str, str]:
        listed = s3.list_objects_v2(Bucket=settings.S3_BUCKET)["Contents"]
        return {found["Key"]: found["ETag"] for found in listed}

    before, objects = rest(), etags()
    versions = [record.version for record in FileRecord.objects.order_by("pk")]
    rewrapping.rewrap()
    assert (rest(), etags()) == (before, objects)
    assert [record.version for record in FileRecord.objects.order_by("pk")] == versions


@pytest.mark.django_db
def test_no_index_holds_what_changes() -> None:
    """So that PostgreSQL writes a row's new version into its page, and nothing into an index."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, StoredObject._meta.db_table)
    assert "storedobject_by_state" in found
    assert not any(CHANGING & set(each["columns"]) for each in found.values())


def test_a_run_is_one_event(seven: list[FileRecord], events: Events) -> None:
    rewrapping.rewrap(batch_size=2)
    rewrapping.rewrap(batch_size=2)
    [event] = events("key_rewrapped")
    assert (event["primary"], event["rewrapped"], event["unreadable"]) == (NEW_ID, 7, 0)


def test_killed_and_run_again_it_goes_on(seven: list[FileRecord], use_keys: UseKeys) -> None:
    class Killed(BaseException):
        pass

    def kill_after_the_second(count: int) -> None:
        if under(NEW_ID) >= 4:
            raise Killed

    with pytest.raises(Killed):
        rewrapping.rewrap(batch_size=2, progress=kill_after_the_second)
    assert (under(NEW_ID), under(OLD_ID)) == (4, 3)
    assert readable(seven)
    assert rewrapping.rewrap(batch_size=2).rewrapped == 3
    use_keys(NEW)
    assert readable(seven)


def test_a_dry_run_tries_every_key_and_changes_none(
    seven: list[FileRecord], events: Events
) -> None:
    assert rewrapping.rewrap(dry_run=True) == rewrapping.Rewrapped(NEW_ID, rewrapped=7, left=7)
    assert under(OLD_ID) == 7
    assert events("key_rewrapped") == []


def test_a_row_that_changed_meanwhile_is_left_alone(
    seven: list[FileRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = seven[3].current
    ring = keyring()
    real, theirs = type(ring).rewrap, ring.rewrap(row.wrapped, context=row.context)

    def meanwhile(self: Any, wrapped: Any, *, context: Any) -> Any:
        new = real(self, wrapped, context=context)
        if context == row.context:
            # Somebody else rewraps it between our read and our write.
            StoredObject.objects.filter(pk=row.pk).update(
                wrapped_key=theirs.token, master_key_id=theirs.master_key_id
            )
        return new

    monkeypatch.setattr(type(ring), "rewrap", meanwhile)
    assert rewrapping.rewrap().rewrapped == 6
    row.refresh_from_db()
    assert bytes(row.wrapped_key) == theirs.token
    assert readable(seven)


@pytest.mark.parametrize("broken", [[2], [0, 1], list(range(7))])
def test_an_unreadable_key_is_reported_logged_and_left_as_it_is(
    seven: list[FileRecord], caplog: pytest.LogCaptureFixture, broken: list[int]
) -> None:
    rows = [seven[number].current for number in broken]
    StoredObject.objects.filter(pk__in=[row.pk for row in rows]).update(wrapped_key=b"broken")
    done = rewrapping.rewrap(batch_size=2)
    assert done == rewrapping.Rewrapped(
        NEW_ID, rewrapped=7 - len(broken), unreadable=len(broken), left=len(broken)
    )
    for row in rows:
        row.refresh_from_db()
        assert (bytes(row.wrapped_key), row.master_key_id) == (b"broken", OLD_ID)
        assert row.object_name in caplog.text
    assert OLD not in caplog.text
    assert NEW not in caplog.text


def test_a_missing_key_changes_nothing(seven: list[FileRecord], use_keys: UseKeys) -> None:
    third = generate_master_key()
    use_keys(third, NEW)
    with pytest.raises(KeysMissing, match=f"key {OLD_ID} is needed by 7 files"):
        rewrapping.rewrap()
    assert under(OLD_ID) == 7


def test_uploads_go_on_meanwhile(store: Store, alice: User, use_keys: UseKeys) -> None:
    use_keys(OLD)
    begun = storing.Upload(alice, name="begun before")
    begun.write(CONTENT)
    use_keys(NEW, OLD)
    assert rewrapping.rewrap().rewrapped == 1
    begun.finish()
    [record] = storing.publish([begun])
    use_keys(NEW)
    assert read(record) == CONTENT


def test_doomed_rows_are_not_rewrapped(seven: list[FileRecord], alice: User) -> None:
    removing.remove(seven[0], actor=alice)
    assert rewrapping.pending() == 6
    assert rewrapping.rewrap().rewrapped == 6


@pytest.mark.django_db(transaction=True)
def test_readers_read_on_while_keys_are_rewrapped(seven: list[FileRecord], tmp_path: Any) -> None:
    # A round of reading beside each batch. A thread that read without end would not let go of the
    # interpreter: it releases it often, but never for as long as another takes to wake up.
    turns, rounds, over = threading.Semaphore(1), threading.Semaphore(0), threading.Event()
    failures: list[Exception] = []
    ring = keyring()
    copies = list(FileRecord.objects.select_related("current"))

    def read_all() -> None:
        # What a request has fetched stays readable when its row is rewrapped under it.
        while turns.acquire() and not over.is_set():
            for record in copies:
                try:
                    b"".join(opening.open_file(record).chunks())
                except Exception as error:
                    failures.append(error)
            rounds.release()

    batches: list[int] = []

    def let_them_read(count: int) -> None:
        assert rounds.acquire(timeout=20)
        batches.append(count)
        turns.release()

    thread = threading.Thread(target=read_all)
    thread.start()
    try:
        rewrapping.rewrap(batch_size=1, progress=let_them_read)
        assert rounds.acquire(timeout=20)
    finally:
        over.set()
        turns.release()
        thread.join(20)
    assert not failures
    assert len(batches) >= 7
    assert under(ring.primary_id) == 7
    assert readable(seven)


def test_every_key_that_wrapped_before_is_remembered_once(
    seven: list[FileRecord], use_keys: UseKeys
) -> None:
    rewrapping.rewrap()
    use_keys(OLD, NEW)
    rewrapping.rewrap()
    use_keys(NEW, OLD)
    rewrapping.rewrap()
    for row in StoredObject.objects.all():
        assert ids_in(row.past_master_key_ids) == [OLD_ID, NEW_ID]


def test_what_another_process_adds_under_the_old_key_is_caught_by_running_again(
    seven: list[FileRecord], use_keys: UseKeys, store: Store, alice: User
) -> None:
    def add_one(count: int) -> None:
        if FileRecord.objects.count() == 7:
            use_keys(OLD)
            store(alice)
            use_keys(NEW, OLD)

    rewrapping.rewrap(progress=add_one)
    store_late = under(OLD_ID)
    use_keys(OLD)
    store(alice)
    use_keys(NEW, OLD)
    assert rewrapping.pending() == store_late + 1
    assert rewrapping.rewrap().left == 0
    assert under(NEW_ID) == 9


def test_second_factors_are_rewrapped_too(
    seven: list[FileRecord], use_keys: UseKeys, alice: User, events: Events
) -> None:
    use_keys(OLD)
    TOTP.activate(alice, generate_totp_secret())
    use_keys(NEW, OLD)
    assert rewrapping.pending() == 8
    told: list[int] = []
    done = rewrapping.rewrap(progress=told.append)
    assert (done.rewrapped, done.secrets, done.left, sum(told)) == (7, 1, 0, 8)
    assert second_factors.secrets_by_key() == {NEW_ID: 1}
    assert events("key_rewrapped")[0]["secrets"] == 1


def test_a_second_factor_whose_key_is_missing_changes_nothing(
    seven: list[FileRecord], use_keys: UseKeys, alice: User
) -> None:
    third = generate_master_key()
    use_keys(third)
    TOTP.activate(alice, generate_totp_secret())
    use_keys(NEW, OLD)
    third_id = LocalMasterKey(third).id
    with pytest.raises(KeysMissing, match=f"key {third_id} is needed by 1 second factor[.]"):
        rewrapping.rewrap()
    assert under(OLD_ID) == 7


def test_a_retired_key_wraps_nothing(
    seven: list[FileRecord], use_keys: UseKeys, store: Store, alice: User
) -> None:
    MasterKey.objects.create(key_id=NEW_ID, retired_at=timezone.now())
    for refused in (rewrapping.rewrap, rewrapping.check_keyring, wrapping.check_keyring):
        with pytest.raises(KeyRetired, match=f"{NEW_ID} was retired"):
            refused()
    with pytest.raises(KeyRetired):
        store(alice)
    with pytest.raises(KeyRetired):
        TOTP.activate(alice, generate_totp_secret())
    assert (under(OLD_ID), under(NEW_ID)) == (7, 0)
    # What is there stays readable.
    assert readable(seven)


# --- Several at once ------------------------------------------------------------------------------


def test_two_runs_share_the_rows(seven: list[FileRecord]) -> None:
    """The second begins while the first has a batch in hand, and takes only what is left."""
    tried: list[int] = []
    others: list[rewrapping.Rewrapped] = []
    real = rewrapping._Run._rewrap

    def rewrap(self: Any, rows: list[Any]) -> Any:
        tried.extend(row.pk for row in rows)
        return real(self, rows)

    def second(count: int) -> None:
        if not others:
            others.append(rewrapping.Rewrapped(""))
            others[0] = rewrapping.rewrap(batch_size=2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrapping._Run, "_rewrap", rewrap)
        first = rewrapping.rewrap(batch_size=2, progress=second)
    assert (first.rewrapped, others[0].rewrapped) == (2, 5)
    assert len(tried) == len(set(tried)) == 7
    assert readable(seven)


def test_a_batch_in_another_runs_hands_is_not_handed_out_again(seven: list[FileRecord]) -> None:
    MasterKey.objects.create(key_id=NEW_ID)
    one, two = (rewrapping._Run(keyring(), 3, None, False) for _ in range(2))
    mine, theirs = one._claim(0), two._claim(0)
    assert len(mine) == len(theirs) == 3
    assert not {row.pk for row in mine} & {row.pk for row in theirs}


def test_what_a_killed_run_had_in_hand_is_done_by_the_one_beside_it(
    seven: list[FileRecord],
) -> None:
    MasterKey.objects.create(key_id=NEW_ID)
    killed = rewrapping._Run(keyring(), 3, None, False)

    def kill(count: int) -> None:
        # It claims a batch and is never heard of again.
        if under(NEW_ID) == 2:
            assert len(killed._claim(0)) == 3

    assert rewrapping.rewrap(batch_size=2, progress=kill).rewrapped == 7
    assert readable(seven)
