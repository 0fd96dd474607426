"""Rotating the master key: every key is rewrapped, none is lost, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from files import vault
from files.crypto.keyring import LocalMasterKey, generate_master_key
from files.masterkeys import keyring
from files.models import FileRecord, StoredObject
from tests.files.conftest import CONTENT, Store, UseKeys
from tests.files.test_vault import read

Events = Callable[[str], list[dict[str, Any]]]
OLD, NEW = generate_master_key(), generate_master_key()
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
    assert vault.rewrap_pending() == 7
    done = vault.rewrap(batch_size=size, progress=batches.append)
    assert done == vault.Rewrapped(NEW_ID, rewrapped=7, unreadable=0)
    assert sum(batches) == 7
    assert max(batches) <= size
    assert (under(NEW_ID), vault.rewrap_pending()) == (7, 0)
    assert readable(seven)
    use_keys(NEW)
    vault.check_keyring()
    assert readable(seven)


def test_nothing_but_the_wrapping_changes(seven: list[FileRecord], s3: Any, settings: Any) -> None:
    def rest() -> list[Any]:
        rows = StoredObject.objects.order_by("pk").values()
        return [
            {k: v for k, v in row.items() if k not in {"wrapped_key", "master_key_id"}}
            for row in rows
        ]

    def etags() -> dict[str, str]:
        listed = s3.list_objects_v2(Bucket=settings.S3_BUCKET)["Contents"]
        return {found["Key"]: found["ETag"] for found in listed}

    before, objects = rest(), etags()
    versions = [record.version for record in FileRecord.objects.order_by("pk")]
    vault.rewrap()
    assert (rest(), etags()) == (before, objects)
    assert [record.version for record in FileRecord.objects.order_by("pk")] == versions


def test_a_run_is_one_event(seven: list[FileRecord], events: Events) -> None:
    vault.rewrap(batch_size=2)
    vault.rewrap(batch_size=2)
    [event] = events("key_rewrapped")
    assert (event["primary"], event["rewrapped"], event["unreadable"]) == (NEW_ID, 7, 0)


def test_killed_and_run_again_it_goes_on(seven: list[FileRecord], use_keys: UseKeys) -> None:
    class Killed(BaseException):
        pass

    def kill_after_the_second(count: int) -> None:
        if under(NEW_ID) >= 4:
            raise Killed

    with pytest.raises(Killed):
        vault.rewrap(batch_size=2, progress=kill_after_the_second)
    assert (under(NEW_ID), under(OLD_ID)) == (4, 3)
    assert readable(seven)
    assert vault.rewrap(batch_size=2).rewrapped == 3
    use_keys(NEW)
    assert readable(seven)


def test_a_dry_run_tries_every_key_and_changes_none(
    seven: list[FileRecord], events: Events
) -> None:
    assert vault.rewrap(dry_run=True) == vault.Rewrapped(NEW_ID, rewrapped=7, unreadable=0)
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
    assert vault.rewrap().rewrapped == 6
    row.refresh_from_db()
    assert bytes(row.wrapped_key) == theirs.token
    assert readable(seven)


@pytest.mark.parametrize("broken", [[2], [0, 1], list(range(7))])
def test_an_unreadable_key_is_reported_logged_and_left_as_it_is(
    seven: list[FileRecord], caplog: pytest.LogCaptureFixture, broken: list[int]
) -> None:
    rows = [seven[number].current for number in broken]
    StoredObject.objects.filter(pk__in=[row.pk for row in rows]).update(wrapped_key=b"broken")
    done = vault.rewrap(batch_size=2)
    assert done == vault.Rewrapped(NEW_ID, rewrapped=7 - len(broken), unreadable=len(broken))
    for row in rows:
        row.refresh_from_db()
        assert (bytes(row.wrapped_key), row.master_key_id) == (b"broken", OLD_ID)
        assert row.object_name in caplog.text
    assert OLD not in caplog.text
    assert NEW not in caplog.text


def test_a_missing_key_changes_nothing(seven: list[FileRecord], use_keys: UseKeys) -> None:
    third = generate_master_key()
    use_keys(third, NEW)
    with pytest.raises(vault.KeysMissing, match=f"key {OLD_ID} is needed by 7 files"):
        vault.rewrap()
    assert under(OLD_ID) == 7


def test_uploads_go_on_meanwhile(store: Store, alice: User, use_keys: UseKeys) -> None:
    use_keys(OLD)
    begun = vault.Upload(alice, name="begun before")
    begun.write(CONTENT)
    use_keys(NEW, OLD)
    assert vault.rewrap().rewrapped == 1
    begun.finish()
    [record] = vault.publish([begun])
    use_keys(NEW)
    assert read(record) == CONTENT


def test_doomed_rows_are_not_rewrapped(seven: list[FileRecord], alice: User) -> None:
    vault.remove(seven[0], actor=alice)
    assert vault.rewrap_pending() == 6
    assert vault.rewrap().rewrapped == 6


@pytest.mark.django_db(transaction=True)
def test_readers_read_on_while_keys_are_rewrapped(seven: list[FileRecord], tmp_path: Any) -> None:
    stop, ready, failures, rounds = threading.Event(), threading.Event(), [], []
    ring = keyring()
    copies = list(FileRecord.objects.select_related("current"))

    def read_all() -> None:
        # What a request has fetched stays readable when its row is rewrapped under it.
        while not stop.is_set():
            for record in copies:
                try:
                    b"".join(vault.open_file(record).chunks())
                except Exception as error:
                    failures.append(error)
            rounds.append(1)
            ready.set()

    def let_them_read(count: int) -> None:
        ready.clear()
        assert ready.wait(20)

    thread = threading.Thread(target=read_all)
    thread.start()
    try:
        assert ready.wait(20)
        vault.rewrap(batch_size=1, progress=let_them_read)
    finally:
        stop.set()
        thread.join(20)
    assert not failures
    assert len(rounds) >= 7
    assert under(ring.primary_id) == 7
    assert readable(seven)
