"""Former versions: kept, read, made current again, pruned; damage, keys and quota with them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from accounts.models import User
from files.access.principals import Person
from files.crypto.errors import Damaged
from files.crypto.fernetkey import generate_master_key
from files.errors import FileDamaged, NoSuchVersion, WrongFileKey
from files.keys.custody import UserKey
from files.models import Conflict, FileRecord, KeptVersion, StoredObject, Usage
from files.rotation import bulk_reencryption, key_report, reencryption, retirement, rewrapping
from files.upkeep import bulk_verification, reconciliation, sweeping, verification
from files.vault import held, opening, removing, storing, versions
from files.vault.destinations import Destination
from tests.files.conftest import CONTENT, KEY, UseKeys, give

State = StoredObject.State
Events = Callable[[str], list[dict[str, Any]]]
VERSION = Destination(conflict=Conflict.VERSION)


def add(
    user: User, content: bytes, *, name: str = "fox.txt", key: UserKey | None = None
) -> FileRecord:
    return storing.store(user, [content], name=name, destination=VERSION, key=key)


@pytest.fixture
def two(record: FileRecord, alice: User) -> FileRecord:
    """`CONTENT` and then b"second": one former version."""
    return add(alice, b"second")


def former_of(record: FileRecord) -> FileRecord:
    return versions.as_it_was(versions.of(record)[0])


def content_of(record: FileRecord, key: str | None = None) -> bytes:
    return b"".join(opening.open_file(record, key).chunks())


def test_a_former_version_reads_as_it_was(two: FileRecord) -> None:
    former = former_of(two)
    assert content_of(former) == CONTENT
    assert content_of(two) == b"second"
    assert former.former_version == former.version != two.version
    assert (two.former_id, two.former_version) == (None, None)


def test_versions_count_in_what_a_person_stores(two: FileRecord, alice: User) -> None:
    usage = Usage.objects.get(pk=alice.pk)
    assert (usage.files, usage.bytes) == (1, len(CONTENT) + len(b"second"))


def test_a_former_version_is_current_again(two: FileRecord, alice: User, events: Events) -> None:
    first = former_of(two)
    record = versions.restore(two, first.version, by=Person(alice), actor=alice)
    fresh = FileRecord.objects.select_related("current").get(pk=two.pk)
    assert (record.version, fresh.version, content_of(fresh)) == (*[first.version] * 2, CONTENT)
    assert content_of(former_of(fresh)) == b"second"
    assert former_of(fresh).version == two.version
    assert Usage.objects.get(pk=alice.pk).bytes == len(CONTENT) + len(b"second")
    [event] = events("version_restored")
    assert (event["version"], event["former"]) == (str(first.version), str(two.version))


def test_one_goes_by_its_owners_word_alone(
    two: FileRecord,
    alice: User,
    bob: User,
    events: Events,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    former = former_of(two)
    give(two, bob, level="manage")
    with pytest.raises(NoSuchVersion):
        versions.delete(two, former.version, by=Person(bob), actor=bob)
    with django_capture_on_commit_callbacks(execute=True):
        versions.delete(two, former.version, by=Person(alice), actor=alice)
    assert not KeptVersion.objects.exists()
    assert list(StoredObject.objects.all()) == [two.current]
    two.refresh_from_db()
    assert (two.kept_bytes, Usage.objects.get(pk=alice.pk).bytes) == (0, len(b"second"))
    [event] = events("version_deleted")
    assert (event["version"], event["reason"]) == (str(former.version), "deleted")
    with pytest.raises(NoSuchVersion):
        versions.find(two, former.version)


def test_the_key_of_what_is_doomed_is_gone_before_its_object(two: FileRecord, alice: User) -> None:
    former = former_of(two)
    versions.delete(two, former.version, by=Person(alice), actor=alice)
    row = StoredObject.objects.get(pk=former.current.pk)
    assert (row.state, bytes(row.wrapped_key), row.digest) == (State.DOOMED, b"", None)


@pytest.mark.parametrize("level", ["download", None])
def test_who_does_not_manage_changes_no_version(
    two: FileRecord, bob: User, level: str | None
) -> None:
    if level:
        give(two, bob, level=level)
    for change in (versions.restore, versions.delete):
        with pytest.raises(NoSuchVersion):
            change(two, former_of(two).version, by=Person(bob), actor=bob)
    assert content_of(two) == b"second"


def test_there_is_no_version_of_another_file(two: FileRecord, alice: User, store: Any) -> None:
    other = store(alice, name="b.txt")
    with pytest.raises(NoSuchVersion):
        versions.restore(other, former_of(two).version, by=Person(alice), actor=alice)
    with pytest.raises(NoSuchVersion):
        versions.find(other, uuid.uuid4())


# --- Pruning --------------------------------------------------------------------------------------


def aged(record: FileRecord, days: int) -> None:
    record.versions.update(superseded_at=timezone.now() - timedelta(days=days))


@pytest.mark.parametrize(
    ("keep", "days", "age", "left"),
    [(2, 30, 31, 2), (2, 30, 29, 4), (10, 30, 31, 4), (0, 30, 31, 0), (0, 0, 0, 0), (2, 0, 0, 2)],
)
def test_one_goes_when_it_is_neither_among_the_newest_nor_young(
    record: FileRecord,
    alice: User,
    settings: Settings,
    keep: int,
    days: int,
    age: int,
    left: int,
    events: Events,
) -> None:
    settings.KEEP_VERSIONS, settings.KEEP_VERSIONS_TIME = 10, timedelta(days=30)
    for number in range(4):
        add(alice, b"%d" % number)
    aged(record, age)
    newest = list(versions.of(record).values_list("version", flat=True))
    settings.KEEP_VERSIONS, settings.KEEP_VERSIONS_TIME = keep, timedelta(days=days)
    assert versions.prunable(timezone.now()).count() == 4 - left
    assert sum(versions.prune_all(timezone.now())) == 4 - left
    assert list(versions.of(record).values_list("version", flat=True)) == newest[:left]
    record.refresh_from_db()
    assert record.kept_bytes == sum(kept.size for kept in record.versions.all())
    assert {event["reason"] for event in events("version_deleted")} <= {"pruned"}


def test_adding_one_prunes_too(record: FileRecord, alice: User, settings: Settings) -> None:
    settings.KEEP_VERSIONS, settings.KEEP_VERSIONS_TIME = 2, timedelta(0)
    for number in range(5):
        add(alice, b"%d" % number)
    kept = [content_of(versions.as_it_was(one)) for one in versions.of(record)]
    assert kept == [b"3", b"2"]


def test_many_uploads_of_one_name_leave_as_many_versions_as_are_kept(
    record: FileRecord, alice: User, settings: Settings
) -> None:
    settings.KEEP_VERSIONS_TIME = timedelta(0)
    for number in range(15):
        add(alice, b"%d" % number)
    assert record.versions.count() == settings.KEEP_VERSIONS
    assert FileRecord.objects.count() == 1


# --- Damage, and what covers every version --------------------------------------------------------


def test_a_damaged_former_version_is_marked_as_one(
    two: FileRecord, alice: User, events: Events
) -> None:
    former = former_of(two)
    assert opening.mark_damaged(former.current, Damaged("it is"))
    again = former_of(two)
    assert (again.current.state, again.is_damaged) == (State.KEPT_DAMAGED, True)
    assert events("damage_found")[0]["version"] == str(former.version)
    with pytest.raises(FileDamaged):
        opening.open_file(again)
    with pytest.raises(FileDamaged):
        versions.restore(two, former.version, by=Person(alice), actor=alice)
    assert content_of(FileRecord.objects.select_related("current").get(pk=two.pk)) == b"second"
    assert verification.clear_damage(again.current)
    assert content_of(former_of(two)) == CONTENT


def test_a_damaged_file_gets_a_new_version_and_its_damage_is_the_former_ones(
    record: FileRecord, alice: User
) -> None:
    opening.mark_damaged(record.current, Damaged("it is"))
    new = add(alice, b"whole")
    assert content_of(new) == b"whole"
    assert former_of(new).current.state == State.KEPT_DAMAGED


def test_verification_reads_former_versions(two: FileRecord, s3: Any, settings: Settings) -> None:
    done = bulk_verification.Run(bulk_verification.Selection()).start()
    assert done.counts[verification.Outcome.OK] == 2
    former = former_of(two)
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=former.current.object_name)
    found = reconciliation.reconcile()
    assert found.missing_objects == 1
    assert former_of(two).current.state == State.KEPT_DAMAGED


def test_a_master_key_is_rotated_away_from_former_versions(
    two: FileRecord, use_keys: UseKeys
) -> None:
    old = os.environ["MASTER_KEYS"]
    new = generate_master_key()
    old_id = former_of(two).current.master_key_id
    use_keys(new, old)
    assert retirement.needs_of(old_id) == {"live files": 1, "former versions": 1}
    line = next(line for line in key_report.report() if line.key_id == old_id)
    assert (line.live, line.kept, line.needed) == (1, 1, 2)
    assert rewrapping.rewrap().rewrapped == 2
    use_keys(new)
    assert content_of(former_of(two)) == CONTENT


def test_a_reencryption_beside_a_new_version_changes_nothing_of_it(
    record: FileRecord, alice: User
) -> None:
    stale = FileRecord.objects.select_related("current").get(pk=record.pk)
    new = add(alice, b"second")
    with pytest.raises(reencryption.FileChanged):
        reencryption.reencrypt(stale)
    again = reencryption.reencrypt(FileRecord.objects.select_related("current").get(pk=new.pk))
    assert content_of(again) == b"second"
    assert content_of(former_of(again)) == CONTENT


def test_a_former_version_is_encrypted_anew_by_itself(
    two: FileRecord, alice: User, events: Events
) -> None:
    former = former_of(two)
    again = reencryption.reencrypt(former)
    assert again.former_version == former.version
    assert again.current_id != former.current_id
    assert again.current.state == State.KEPT
    assert content_of(former_of(two)) == CONTENT
    assert content_of(two) == b"second"
    assert events("file_reencrypted")[0]["version"] == str(former.version)
    with pytest.raises(reencryption.FileChanged):
        reencryption.reencrypt(former)
    versions.delete(two, former.version, by=Person(alice), actor=alice)
    with pytest.raises(reencryption.FileChanged):
        reencryption.reencrypt(again)


def test_what_a_leaked_master_key_wrapped_is_encrypted_anew_former_versions_too(
    two: FileRecord, use_keys: UseKeys
) -> None:
    old, new = os.environ["MASTER_KEYS"], generate_master_key()
    leaked = two.current.master_key_id
    use_keys(new, old)
    rewrapping.rewrap()
    selection = bulk_reencryption.Selection(master_key_id=leaked)
    work = bulk_reencryption.survey(selection)
    assert (work.files, work.bytes) == (2, len(CONTENT) + len(b"second"))
    done = bulk_reencryption.Run(selection).start()
    assert (done.reencrypted, done.bytes, done.failed) == (2, work.bytes, [])
    assert bulk_reencryption.survey(selection).files == 0
    assert content_of(former_of(two)) == CONTENT


def test_an_unfinished_version_is_in_no_ones_way(record: FileRecord, alice: User) -> None:
    unfinished = storing.Upload(alice, name="fox.txt", destination=VERSION)
    unfinished.write(b"third")
    again = reencryption.reencrypt(FileRecord.objects.select_related("current").get(pk=record.pk))
    assert content_of(again) == CONTENT
    unfinished.finish()
    [new] = storing.publish([unfinished])
    assert content_of(new) == b"third"
    assert content_of(former_of(new)) == CONTENT


def test_a_deleted_file_takes_its_versions_with_it(
    two: FileRecord,
    alice: User,
    nothing_left: Callable[[], bool],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert removing.remove(two, actor=alice)
    assert nothing_left()
    assert not KeptVersion.objects.exists()


def test_a_sweep_prunes(record: FileRecord, alice: User, settings: Settings) -> None:
    for number in range(4):
        add(alice, b"%d" % number)
    settings.KEEP_VERSIONS, settings.KEEP_VERSIONS_TIME = 1, timedelta(0)
    assert sweeping.sweep(dry_run=True).pruned == 3
    assert sweeping.sweep().pruned == 3
    assert record.versions.count() == 1


# --- Held versions --------------------------------------------------------------------------------


def test_a_held_version_keeps_its_own_key(
    held_record: FileRecord, alice: User, events: Events
) -> None:
    second = generate_master_key()
    new = add(alice, b"second", name="secret.txt", key=UserKey(second))
    former = former_of(new)
    assert content_of(former, KEY) == CONTENT
    assert content_of(new, second) == b"second"
    with pytest.raises(WrongFileKey):
        held.unlock(former, second, actor=alice)
    assert held.unlock(former, KEY, actor=alice) == KEY
    assert events("file_unlocked")[-1]["version"] == str(former.version)


def test_a_held_file_may_become_a_managed_one_and_back(
    held_record: FileRecord, alice: User
) -> None:
    new = add(alice, b"second", name="secret.txt")
    assert not new.is_held
    assert content_of(new) == b"second"
    back = versions.restore(new, former_of(new).version, by=Person(alice), actor=alice)
    assert back.is_held
    assert content_of(back, KEY) == CONTENT
