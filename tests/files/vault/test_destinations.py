"""Where uploads go: what is fixed when one begins, and what is decided when it is complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from files.access.principals import Person
from files.errors import MayNotAdd, NameTaken, QuotaExceeded, TooManyUploads
from files.folders import trash
from files.models import Conflict, FileRecord, Folder, Grant, StoredObject
from files.tree import placing
from files.vault import emptying, removing, resumable, storing
from files.vault.continuing import Continuation
from files.vault.destinations import Destination
from files.vault.purging import Ending
from tests.files.conftest import CONTENT, Store, give
from tests.files.vault.faults import read

Events = Callable[[str], list[dict[str, Any]]]
OTHER = b"Another text. " * 50


@pytest.fixture
def case(alice: User) -> Folder:
    """A folder of Alice's."""
    return placing.add_folder(placing.root_of(alice), "case", added_by=alice)


def into(folder: Folder | None, conflict: Conflict = Conflict.RENAME) -> Destination:
    return Destination(folder, conflict)


def put(
    user: User, to: Destination, content: bytes = OTHER, name: str = "fox.txt", **fields: Any
) -> FileRecord:
    return storing.store(user, [content], name=name, destination=to, **fields)


def begun(user: User, to: Destination, name: str = "fox.txt") -> storing.Upload:
    upload = storing.Upload(user, name=name, destination=to)
    upload.write(OTHER)
    upload.finish()
    return upload


def by_tus(user: User, to: Destination, name: str = "fox.txt") -> Callable[[], FileRecord]:
    session = resumable.create(user, name=name, length=len(OTHER), destination=to)

    def complete() -> FileRecord:
        with Continuation(session, 0) as turn:
            turn.write(OTHER)
            stored = turn.settle()
        assert stored is not None
        session.refresh_from_db()
        assert session.object == stored.current
        return stored

    return complete


def by_form(user: User, to: Destination, name: str = "fox.txt") -> Callable[[], FileRecord]:
    upload = begun(user, to, name)
    return lambda: storing.publish([upload])[0]


WAYS = pytest.mark.parametrize("way", [by_tus, by_form])


def test_who_adds_to_anothers_folder_gives(
    s3: object, alice: User, bob: User, case: Folder, events: Events
) -> None:
    give(case, bob, level="add")
    record = put(bob, into(case))
    assert (record.owner, record.uploaded_by, record.folder) == (alice, bob, case)
    [event] = events("file_uploaded")
    assert (event["actor"], event["owner_id"]) == ("bob", alice.pk)
    assert event["folder_id"] == str(case.pk)


def test_who_sees_a_folder_and_may_not_add_is_refused_before_a_byte(
    s3: object, bob: User, case: Folder
) -> None:
    give(case, bob, level="download")
    with pytest.raises(MayNotAdd):
        storing.Upload(bob, name="a.txt", destination=into(case))
    with pytest.raises(MayNotAdd):
        resumable.create(bob, name="a.txt", length=1, destination=into(case))
    assert not StoredObject.objects.exists()


def test_a_taken_name_gets_a_number_whatever_its_case(
    s3: object, alice: User, case: Folder
) -> None:
    names = [put(alice, into(case), name=name).name for name in ("a.txt", "A.TXT", "a.txt")]
    assert names == ["a.txt", "A (2).TXT", "a (3).txt"]


def test_a_taken_name_is_refused_before_a_byte_where_that_was_said(
    record: FileRecord, alice: User
) -> None:
    for begin in (storing.Upload, resumable.create):
        with pytest.raises(NameTaken, match="conflict “version”"):
            begin(alice, name="FOX.txt", destination=into(None, Conflict.REFUSE))


@WAYS
def test_a_name_taken_meanwhile_never_costs_the_bytes(
    s3: object, alice: User, case: Folder, way: Any
) -> None:
    complete = way(alice, into(case, Conflict.REFUSE))
    put(alice, into(case))
    record = complete()
    assert (record.name, read(record)) == ("fox (2).txt", OTHER)


# --- Versions -------------------------------------------------------------------------------------


@WAYS
def test_a_new_version_is_the_same_file_and_keeps_the_former_one(
    record: FileRecord, alice: User, way: Any, events: Events
) -> None:
    former = record.version
    new = way(alice, into(None, Conflict.VERSION))()
    assert (new.pk, new.name, read(new)) == (record.pk, "fox.txt", OTHER)
    kept = new.versions.get()
    assert (kept.version, kept.size, kept.object) == (former, len(CONTENT), record.current)
    assert kept.object.state == StoredObject.State.KEPT
    assert (new.size, new.kept_bytes) == (len(OTHER), len(CONTENT))
    [event] = events("version_added")
    assert (event["version"], event["size"]) == (str(new.version), len(OTHER))
    assert len(events("file_uploaded")) == 1


def test_who_may_only_add_makes_no_version_of_what_is_not_theirs(
    s3: object, alice: User, bob: User, case: Folder
) -> None:
    put(alice, into(case), CONTENT)
    give(case, bob, level="add")
    first = put(bob, into(case, Conflict.VERSION))
    assert first.name == "fox (2).txt"
    again = put(bob, into(case, Conflict.VERSION), CONTENT, name="fox (2).txt")
    assert (again.pk, again.versions.count(), again.owner) == (first.pk, 1, alice)
    mine = put(alice, into(case, Conflict.VERSION), CONTENT, name="fox (2).txt")
    assert (mine.pk, mine.uploaded_by) == (first.pk, alice)
    # Now it is not theirs any more.
    assert put(bob, into(case, Conflict.VERSION), name="fox (2).txt").pk != first.pk


@WAYS
def test_of_two_at_once_the_last_to_complete_is_current(
    record: FileRecord, alice: User, way: Any
) -> None:
    first, second = (way(alice, into(None, Conflict.VERSION)) for _ in range(2))
    assert second().pk == first().pk == record.pk
    assert record.versions.count() == 2
    assert FileRecord.objects.count() == 1


@WAYS
def test_who_lost_the_right_in_mid_upload_keeps_the_bytes_and_not_the_file(
    s3: object, alice: User, bob: User, case: Folder, way: Any, events: Events
) -> None:
    record = put(alice, into(case), CONTENT)
    grant = give(case, bob, level="manage")
    complete = way(bob, into(case, Conflict.VERSION))
    assert StoredObject.objects.filter(file_id=record.pk, state="writing").exists()
    Grant.objects.filter(pk=grant.pk).update(level="add")
    stored = complete()
    assert stored.pk != record.pk
    assert (stored.name, stored.folder, read(stored)) == ("fox (2).txt", case, OTHER)
    record.refresh_from_db()
    assert (record.version, read(record)) == (record.version, CONTENT)
    assert not StoredObject.objects.filter(state="writing").exists()


@WAYS
@pytest.mark.parametrize("end", ["left", "put away", "handed over", "deleted"])
def test_a_folder_that_is_lost_in_mid_upload_costs_nothing(
    s3: object,
    alice: User,
    bob: User,
    mallory: User,
    case: Folder,
    way: Any,
    end: str,
    events: Events,
) -> None:
    grant = give(case, bob, level="add")
    complete = way(bob, into(case))
    if end == "left":
        Grant.objects.filter(pk=grant.pk).delete()
    elif end == "handed over":
        Grant.objects.filter(pk=grant.pk).delete()
        placing.hand_over(case, mallory)
    else:
        trash.put_away(case, by=Person(alice), actor=alice)
    if end == "deleted":
        assert emptying.end_tree(case, Ending.DELETED, actor=alice, by=Person(alice))
        list(emptying.finish(case))
    stored = complete()
    assert (stored.owner, stored.folder, read(stored)) == (bob, placing.root_of(bob), OTHER)
    event = events("file_uploaded")[-1]
    assert "owner_id" not in event
    if end != "deleted" or way is by_form:
        assert event["instead_of_folder_id"] == str(case.pk)


@WAYS
def test_a_file_deleted_for_good_in_mid_upload_is_one_again(
    record: FileRecord, alice: User, way: Any
) -> None:
    complete = way(alice, into(None, Conflict.VERSION))
    assert removing.remove(record, actor=alice)
    stored = complete()
    assert (stored.pk, stored.versions.count(), read(stored)) == (record.pk, 0, OTHER)


@WAYS
def test_a_version_of_what_was_put_away_meanwhile_is_a_file_of_its_own(
    record: FileRecord, alice: User, way: Any
) -> None:
    complete = way(alice, into(None, Conflict.VERSION))
    trash.put_away(record, by=Person(alice), actor=alice)
    stored = complete()
    assert stored.pk != record.pk
    assert (stored.name, read(stored)) == ("fox.txt", OTHER)


def test_what_is_said_after_the_bytes_counts_as_well(
    record: FileRecord, alice: User, case: Folder, store: Store
) -> None:
    upload = begun(alice, into(None))
    upload.direct(into(None, Conflict.VERSION))
    [stored] = storing.publish([upload])
    assert (stored.pk, read(stored)) == (record.pk, OTHER)
    with pytest.raises(NameTaken):
        begun(alice, into(None)).direct(into(None, Conflict.REFUSE))
    changed = begun(alice, into(None, Conflict.VERSION))
    changed.direct(into(case))
    [elsewhere] = storing.publish([changed])
    assert (elsewhere.folder, elsewhere.pk != record.pk) == (case, True)


# --- Whose quota ----------------------------------------------------------------------------------


def test_it_counts_in_the_quota_of_the_folders_owner(
    s3: object, alice: User, bob: User, case: Folder
) -> None:
    give(case, bob, level="add")
    User.objects.filter(pk=alice.pk).update(quota=100)
    case = Folder.objects.select_related("owner").get(pk=case.pk)
    with pytest.raises(QuotaExceeded, match=r"that folder's owner.*: 100 bytes are left"):
        storing.Upload(bob, name="a.txt", destination=into(case), size=101)
    with pytest.raises(QuotaExceeded, match=r"that folder's owner.*: 100 bytes are left"):
        resumable.create(bob, name="a.txt", destination=into(case), length=101)
    User.objects.filter(pk=bob.pk).update(quota=1)
    bob.refresh_from_db()
    record = put(bob, into(case), b"x" * 99)
    assert record.owner == alice
    with pytest.raises(QuotaExceeded):
        put(bob, into(case), b"xx")


def test_an_unfinished_upload_holds_the_owners_room_and_counts_for_the_uploader(
    s3: object, alice: User, bob: User, case: Folder, settings: Settings
) -> None:
    give(case, bob, level="add")
    User.objects.filter(pk=alice.pk).update(quota=100)
    case = Folder.objects.select_related("owner").get(pk=case.pk)
    resumable.create(bob, name="a.txt", length=60, destination=into(case))
    with pytest.raises(QuotaExceeded, match="Unfinished uploads hold 60 bytes"):
        resumable.create(case.owner, name="b.txt", length=41)
    settings.MAX_UNFINISHED_UPLOADS = 1
    resumable.create(alice, name="b.txt", length=1)
    with pytest.raises(TooManyUploads):
        resumable.create(bob, name="b.txt", length=1)


def test_a_refusal_says_how_much_is_trash(
    record: FileRecord, alice: User, settings: Settings
) -> None:
    settings.USER_QUOTA = len(CONTENT) + 10
    trash.put_away(record, by=Person(alice), actor=alice)
    with pytest.raises(QuotaExceeded, match=f"{len(CONTENT)} bytes of what is used are in the"):
        storing.Upload(alice, name="b.txt", size=11)


def test_what_goes_elsewhere_at_the_end_takes_room_there(
    s3: object, alice: User, bob: User, case: Folder
) -> None:
    grant = give(case, bob, level="add")
    complete = by_tus(bob, into(case))
    User.objects.filter(pk=bob.pk).update(quota=1)
    Grant.objects.filter(pk=grant.pk).delete()
    with pytest.raises(QuotaExceeded):
        complete()
    User.objects.filter(pk=bob.pk).update(quota=None)
    session_left = StoredObject.objects.get(creator=bob)
    assert session_left.state == StoredObject.State.WRITING
