"""Several small files at once: all of them are files, each as one that came alone, or none is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import User
from audit import chain
from files.access.principals import Person
from files.errors import FileTooLarge, MayNotAdd, NameTaken, QuotaExceeded, TooManyUploads
from files.folders import trash
from files.models import FileRecord, Folder, RecentFile, StoredObject, Usage
from files.records.names import BadName
from files.storage import ObjectWriter, StoreUnavailable
from files.storage.progress import SealedObject
from files.tree import placing
from files.upkeep import whereabouts
from files.vault import batches, opening
from files.vault.batches import Small
from tests.files.conftest import give
from tests.files.vault.faults import read

pytestmark = pytest.mark.usefixtures("s3")
Nothing = Callable[[], bool]
State = StoredObject.State
TWO = [Small("a.txt", b"one", "text/plain"), Small("Ä.bin", b"")]


@pytest.fixture
def cases(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)


def put(owner: User, folder: Folder, files: list[Small] = TWO) -> list[FileRecord]:
    return batches.store(owner, files, folder, Person(owner))


def test_each_is_a_file_like_any_other(
    alice: User, cases: Folder, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    records = put(alice, cases)
    assert [(read(one), one.name, one.size) for one in records] == [
        (b"one", "a.txt", 3),
        (b"", "Ä.bin", 0),
    ]
    found = FileRecord.objects.select_related("current").get(pk=records[1].pk)
    assert (found.folded_name, found.plain_name) == ("ä.bin", "a.bin")
    assert (found.owner, found.uploaded_by, found.folder) == (alice, alice, cases)
    assert (found.current.state, found.current.sealed) == (State.LIVE, True)
    assert opening.digests_of(found.current) is not None
    assert placing.taken(cases, "ä.BIN") is not None
    told = events("file_uploaded")
    assert {one["file_id"] for one in told} == {one.pk for one in records}
    assert {one["folder_id"] for one in told} == {str(cases.pk)}
    assert RecentFile.objects.filter(user=alice).count() == 2
    assert Usage.objects.get(pk=alice.pk).files == 2
    assert chain.verify().number == chain.head().number
    assert list(whereabouts.of_files()) == []


def test_who_owns_the_folder_owns_what_comes_and_pays(
    alice: User, bob: User, cases: Folder
) -> None:
    give(cases, bob, level="add")
    [one, _other] = put(bob, cases)
    assert (one.owner, one.uploaded_by) == (alice, bob)
    User.objects.filter(pk=alice.pk).update(quota=4)
    alice.refresh_from_db()
    cases.owner = alice
    with pytest.raises(QuotaExceeded):
        put(bob, cases, [Small("x", b"1"), Small("y", b"1")])
    assert FileRecord.objects.count() == 2


def test_more_files_take_few_more_questions(alice: User, cases: Folder) -> None:
    def asked(first: int, number: int) -> int:
        with CaptureQueriesContext(connection) as found:
            put(alice, cases, [Small(f"{first + n}.bin", b"x") for n in range(number)])
        return len(found)

    asked(0, 1)
    few, many = asked(10, 2), asked(20, 12)
    # Its row is sealed; its event is appended and read back.
    assert (many - few) / 10 <= 4


@pytest.mark.parametrize(
    "files", [[Small("new", b"x"), Small("FOX.txt", b"x")], [Small("a", b"x"), Small("A", b"y")]]
)
def test_a_name_that_is_taken_leaves_none(
    alice: User, cases: Folder, files: list[Small], store_is_empty: Nothing
) -> None:
    put(alice, cases, [Small("fox.TXT", b"")])
    before = StoredObject.objects.count()
    with pytest.raises(NameTaken):
        put(alice, cases, files)
    assert (FileRecord.objects.count(), StoredObject.objects.count()) == (1, before)


def test_what_looks_at_them_first_can_refuse_them_all(
    alice: User, cases: Folder, events: Callable[[str], list[dict[str, Any]]], nothing_left: Nothing
) -> None:
    def check(records: list[FileRecord]) -> None:
        assert [one.name for one in records] == ["a.txt", "Ä.bin"]
        assert all(opening.digests_of(one.current) is not None for one in records)
        raise KeyError("not these")

    with pytest.raises(KeyError, match="not these"):
        batches.store(alice, TWO, cases, Person(alice), check=check)
    assert nothing_left()
    assert events("file_uploaded") == []


def test_a_stranger_and_who_only_reads_add_nothing(
    alice: User, bob: User, mallory: User, cases: Folder, nothing_left: Nothing
) -> None:
    give(cases, bob, level="download")
    for who in (bob, mallory):
        with pytest.raises(MayNotAdd):
            put(who, cases)
    assert nothing_left()


def test_bounds_are_those_of_every_upload(
    alice: User, cases: Folder, settings: Settings, nothing_left: Nothing
) -> None:
    with pytest.raises(BadName):
        put(alice, cases, [Small("..", b"x")])
    settings.MAX_UPLOAD_SIZE = 2
    with pytest.raises(FileTooLarge):
        put(alice, cases)
    settings.MAX_UPLOAD_SIZE = 10**6
    settings.MAX_UNFINISHED_UPLOADS = 1
    with pytest.raises(TooManyUploads):
        put(alice, cases)
    with pytest.raises(ValueError, match="1 to 64"):
        put(alice, cases, [Small(str(n), b"") for n in range(65)])
    assert nothing_left()


def test_rows_stand_before_the_first_byte_goes_out_and_a_failure_leaves_nothing(
    alice: User, cases: Folder, monkeypatch: pytest.MonkeyPatch, nothing_left: Nothing
) -> None:
    commit = ObjectWriter.commit
    seen: list[int] = []

    def fail_second(writer: ObjectWriter) -> SealedObject:
        seen.append(StoredObject.objects.filter(state=State.WRITING).count())
        if len(seen) == 2:
            raise StoreUnavailable("put an object: no")
        return commit(writer)

    monkeypatch.setattr(ObjectWriter, "commit", fail_second)
    with pytest.raises(StoreUnavailable):
        put(alice, cases)
    assert seen == [2, 2]
    assert nothing_left()


def test_what_changes_while_bytes_travel_is_asked_again(
    alice: User, cases: Folder, monkeypatch: pytest.MonkeyPatch, nothing_left: Nothing
) -> None:
    commit = ObjectWriter.commit

    def put_away(writer: ObjectWriter) -> SealedObject:
        fresh = Folder.objects.get(pk=cases.pk)
        if fresh.trashed_at is None:
            trash.put_away(fresh, by=Person(alice), actor=alice)
        return commit(writer)

    monkeypatch.setattr(ObjectWriter, "commit", put_away)
    with pytest.raises(MayNotAdd):
        put(alice, cases)
    assert nothing_left()
