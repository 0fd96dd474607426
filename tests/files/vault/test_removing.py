"""Remove: gone for everybody at once, and from the store as soon as it can be reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from files.models import FileRecord, Grant, StoredObject
from files.upkeep import sweeping
from files.vault import removing
from tests.files.conftest import CONTENT

if TYPE_CHECKING:
    pass

from tests.files.vault.faults import StoreTrouble

State = StoredObject.State
Nothing = Callable[[], bool]


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
    assert events("file_deleted") == [
        {"file_id": file_id, "actor": "alice", "size": len(CONTENT), "backups_until": "unknown"}
    ]


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
