"""The trash is emptied: for good, whatever the size of a tree, and whoever dies on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from accounts.models import User
from files.access.principals import Person
from files.access.rule import trashed_files_of, trashed_folders_of
from files.folders import trash
from files.folders.purging import NotInTheTrash, delete_for_good
from files.models import FileRecord, Folder, StoredObject, Usage
from files.tree import placing
from files.upkeep import sweeping
from files.vault import emptying, storing
from files.vault.destinations import Destination
from files.vault.purging import Ending, may_purge
from tests.files.conftest import CONTENT, Store, give

Events = Callable[[str], list[dict[str, Any]]]
State = StoredObject.State
Commit = DjangoCaptureOnCommitCallbacks


@pytest.fixture
def tree(s3: object, alice: User) -> Folder:
    """Alice's `case`, with a file; in it `deep`, with a file."""
    case = placing.add_folder(placing.root_of(alice), "case", added_by=alice)
    deep = placing.add_folder(case, "deep", added_by=alice)
    for folder in (case, deep):
        storing.store(alice, [CONTENT], name="fox.txt", destination=Destination(folder))
    return case


def put_away(item: FileRecord | Folder, user: User) -> None:
    assert trash.put_away(item, by=Person(user), actor=user)


def test_a_file_goes_for_good_with_its_key_first(
    record: FileRecord,
    alice: User,
    nothing_left: Callable[[], bool],
    events: Events,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    put_away(record, alice)
    with django_capture_on_commit_callbacks(execute=False) as later:
        delete_for_good(record, by=Person(alice), actor=alice)
    row = StoredObject.objects.get()
    assert (row.state, bytes(row.wrapped_key)) == (State.DOOMED, b"")
    for call in later:
        call()
    assert nothing_left()
    assert events("file_deleted")[0]["backups_until"] == "unknown"


def test_the_event_says_until_when_a_backup_may_hold_the_key(
    record: FileRecord, alice: User, events: Events, settings: Settings
) -> None:
    settings.BACKUP_TIME = timedelta(days=90)
    put_away(record, alice)
    delete_for_good(record, by=Person(alice), actor=alice)
    until = timezone.now() + timedelta(days=90)
    assert events("file_deleted")[0]["backups_until"] == until.date().isoformat()


def test_only_what_is_in_the_trash_goes_and_only_by_its_owner(
    record: FileRecord, tree: Folder, alice: User, bob: User, root: User
) -> None:
    for item in (record, tree):
        with pytest.raises(NotInTheTrash):
            delete_for_good(item, by=Person(alice), actor=alice)
        give(item, bob, level="manage")
        put_away(item, bob)
        for other in (bob, root):
            with pytest.raises(NotInTheTrash):
                delete_for_good(item, by=Person(other), actor=other)
    assert FileRecord.objects.count() == 3
    assert StoredObject.objects.filter(state=State.LIVE).count() == 3
    assert not may_purge(placing.root_of(alice), Ending.DELETED, by=Person(alice))


def test_a_tree_goes_for_good(
    tree: Folder,
    alice: User,
    nothing_left: Callable[[], bool],
    events: Events,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    put_away(tree, alice)
    with django_capture_on_commit_callbacks(execute=True):
        delete_for_good(tree, by=Person(alice), actor=alice)
    assert nothing_left()
    assert list(Folder.objects.all()) == [placing.root_of(alice)]
    [event] = events("folder_deleted")
    assert (event["folder_id"], event["files"], event["folders"]) == (str(tree.pk), 2, 2)
    assert len(events("file_deleted")) == 2
    assert Usage.objects.get(pk=alice.pk).files == 0


def test_a_killed_one_brings_nothing_back_and_a_sweep_goes_on(
    tree: Folder,
    alice: User,
    nothing_left: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    put_away(tree, alice)
    assert emptying.end_tree(tree, Ending.DELETED, actor=alice, by=Person(alice))
    # Here it dies.
    assert not {bytes(row.wrapped_key) for row in StoredObject.objects.all()} - {b""}
    assert not trashed_folders_of(Person(alice)).exists()
    with pytest.raises(Exception, match="no longer there"):
        trash.restore(tree, by=Person(alice), actor=alice)
    monkeypatch.setattr(emptying, "AT_ONCE", 1)
    rest = emptying.finish(Folder.objects.get(pk=tree.pk))
    assert next(rest) == 1
    # And once more.
    with django_capture_on_commit_callbacks(execute=True):
        assert sweeping.sweep().expired == 1
    sweeping.sweep(now=timezone.now() + timedelta(days=1))
    assert nothing_left()
    assert Folder.objects.count() == 1


def test_what_was_put_away_by_itself_stays_in_the_trash_by_itself(
    tree: Folder, alice: User
) -> None:
    deep = Folder.objects.get(name="deep")
    file = FileRecord.objects.get(folder=tree)
    put_away(file, alice)
    put_away(deep, alice)
    put_away(tree, alice)
    delete_for_good(tree, by=Person(alice), actor=alice)
    assert list(trashed_files_of(Person(alice))) == [file]
    assert list(trashed_folders_of(Person(alice))) == [deep]
    restored = trash.restore(deep, by=Person(alice), actor=alice)
    assert restored.folder == placing.root_of(alice)
    assert FileRecord.objects.filter(folder=deep).count() == 1


def test_a_sweep_ends_what_was_in_the_trash_too_long(
    tree: Folder,
    store: Store,
    alice: User,
    events: Events,
    settings: Settings,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    old, young = store(alice, name="old.txt"), store(alice, name="young.txt")
    for item in (tree, old, young):
        put_away(item, alice)
    past = timezone.now() - settings.TRASH_TIME - timedelta(minutes=1)
    Folder.objects.filter(pk=tree.pk).update(trashed_at=past)
    FileRecord.objects.filter(pk=old.pk).update(trashed_at=past)
    assert sweeping.sweep(dry_run=True).expired == 3
    assert FileRecord.objects.count() == 4
    with django_capture_on_commit_callbacks(execute=True):
        assert sweeping.sweep().expired == 3
    assert list(FileRecord.objects.all()) == [young]
    assert not Folder.objects.filter(pk=tree.pk).exists()
    assert events("folder_deleted")[0]["reason"] == "expired"
    assert sweeping.sweep().expired == 0


def test_what_was_brought_back_in_time_stays(record: FileRecord, alice: User) -> None:
    put_away(record, alice)
    trash.restore(record, by=Person(alice), actor=alice)
    assert not may_purge(record, Ending.EXPIRED, now=timezone.now() + timedelta(days=999))
    with pytest.raises(NotInTheTrash):
        delete_for_good(record, by=Person(alice), actor=alice)
