"""Uploads of one name at once, beside re-encryptions, downloads and deletions: nothing is lost.

On SQLite and on PostgreSQL, with the real store: whoever was told that it is stored finds it, and
what there is agrees with itself afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker, Settings

from accounts.models import User
from audit.models import AuditEvent
from files.access.principals import Person
from files.errors import FileDamaged, NameTaken, NoSuchFolder
from files.folders import purging, trash
from files.models import (
    Ancestry,
    Conflict,
    Entry,
    FileRecord,
    Folder,
    Grant,
    KeptVersion,
    StoredObject,
    Usage,
)
from files.records.names import entry_key, numbered
from files.rotation import reencryption
from files.tree import placing
from files.vault import opening, storing, versions
from files.vault.destinations import Destination
from tests.audit.databases import as_default

AT_ONCE = 10
State = StoredObject.State


class Crowd:
    """Ten of them, each with a connection of its own, begin at the same moment."""

    def __init__(self, database: dict[str, Any]) -> None:
        self._database = database
        self.alice, self.bob = (
            User.objects.create_user(name, f"{name}@example.org") for name in ("alice", "bob")
        )
        # The last of all ids: the root that bob gets meanwhile is locked before it.
        root = Folder.objects.create(pk=UUID(int=2**128 - 1), owner=self.alice)
        Ancestry.objects.create(ancestor=root, descendant=root, distance=0)
        self.case = placing.add_folder(root, "case", added_by=self.alice)
        Grant.objects.create(folder=self.case, user=self.bob, level="add")

    def each(self, *works: Callable[[int], object], times: int = 1) -> list[Any]:
        """Have the works done, in turn, by ten at once; what they returned."""
        together = Barrier(AT_ONCE)

        def one(number: int) -> list[Any]:
            with as_default(self._database):
                together.wait(timeout=60)
                work = works[number % len(works)]
                return [work(number * times + again) for again in range(times)]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [found for done in pool.map(one, range(AT_ONCE)) for found in done]

    def locked_beside(self, record: FileRecord, change: Callable[[], object]) -> FileRecord | None:
        """The file as somebody gets it who has waited for it while it was changed."""

        def lock() -> FileRecord | None:
            with as_default(self._database), transaction.atomic():
                return versions.lock(record.pk)

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                change()
                waiting = pool.submit(lock)
                while connection.vendor == "postgresql" and not (waiting.done() or _waits()):
                    pass  # Each look is a question to the database.
            return waiting.result(timeout=60)

    def put(self, number: int, user: User, conflict: Conflict, name: str = "a.txt") -> FileRecord:
        """Upload a file of that name into the folder."""
        to = Destination(Folder.objects.select_related("owner").get(pk=self.case.pk), conflict)
        return storing.store(user, [text(number)], name=name, destination=to)


def _waits() -> bool:
    """Whether somebody waits for a lock of PostgreSQL's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def text(number: int) -> bytes:
    return b"the text of upload number %d" % number


def read(record: FileRecord) -> bytes:
    return b"".join(opening.open_file(record).chunks())


def all_there() -> Counter[bytes]:
    """The contents of all files and former versions; fails where rows do not agree."""
    found: Counter[bytes] = Counter()
    usage: Counter[int] = Counter()
    for record in FileRecord.objects.select_related("current"):
        kept = list(versions.of(record))
        found.update([read(record), *(read(versions.as_it_was(one)) for one in kept)])
        assert record.kept_bytes == sum(one.size for one in kept)
        usage[record.owner_id] += record.size + record.kept_bytes
        names = Entry.objects.filter(file=record).values_list("key", flat=True)
        assert list(names) == ([] if record.trashed_at else [entry_key(record.name)])
    for owner_id, size in usage.items():
        assert Usage.objects.get(pk=owner_id).bytes == size
    states = Counter(StoredObject.objects.values_list("state", flat=True))
    assert states[State.LIVE] == FileRecord.objects.count()
    assert states[State.KEPT] == KeptVersion.objects.count()
    return found


@pytest.fixture
def crowd(
    migrated_database: dict[str, Any],
    django_db_blocker: DjangoDbBlocker,
    real_store: object,
    settings: Settings,
) -> Iterator[Crowd]:
    settings.KEEP_VERSIONS, settings.KEEP_VERSIONS_TIME = 1000, timedelta(days=1)
    with django_db_blocker.unblock(), as_default(migrated_database):
        yield Crowd(migrated_database)


@pytest.mark.parametrize("conflict", [Conflict.RENAME, Conflict.VERSION])
def test_one_name_from_ten_at_once_is_ten_files(crowd: Crowd, conflict: Conflict) -> None:
    """None of them was there when the others began: no one's bytes are anybody's version."""
    made = crowd.each(lambda number: crowd.put(number, crowd.bob, conflict))
    if conflict is Conflict.RENAME:
        names = {"a.txt", *(numbered("a.txt", n) for n in range(2, AT_ONCE + 1))}
        assert {record.name for record in made} == names
    assert all_there() == Counter(map(text, range(AT_ONCE)))


def test_one_name_from_ten_at_once_that_is_to_be_refused(crowd: Crowd) -> None:
    def put(number: int) -> bytes | None:
        with suppress(NameTaken):
            return read(crowd.put(number, crowd.alice, Conflict.REFUSE))
        return None

    stored = [found for found in crowd.each(put) if found is not None]
    assert stored
    assert all_there() == Counter(stored)


def test_a_hundred_of_one_name_by_who_may_only_add(crowd: Crowd) -> None:
    first = crowd.put(1000, crowd.bob, Conflict.VERSION)
    made = crowd.each(lambda number: crowd.put(number, crowd.bob, Conflict.VERSION), times=10)
    assert {record.pk for record in made} == {first.pk}
    assert first.versions.count() == 100
    assert all_there() == Counter([text(1000), *map(text, range(100))])
    assert {record.owner_id for record in FileRecord.objects.all()} == {crowd.alice.pk}


def test_versions_beside_reencryptions(crowd: Crowd) -> None:
    crowd.put(1000, crowd.alice, Conflict.VERSION)

    def again(_: int) -> None:
        record = FileRecord.objects.select_related("current").get()
        with suppress(reencryption.AlreadyRunning, reencryption.FileChanged):
            reencryption.reencrypt(record)

    def put(number: int) -> bytes:
        crowd.put(number, crowd.alice, Conflict.VERSION)
        return text(number)

    put_in = [found for found in crowd.each(put, again, times=3) if found is not None]
    assert all_there() == Counter([text(1000), *put_in])
    assert FileRecord.objects.count() == 1


def test_who_waits_for_a_file_gets_it_as_it_is_then(crowd: Crowd) -> None:
    crowd.put(0, crowd.alice, Conflict.VERSION)
    record = crowd.put(1, crowd.alice, Conflict.VERSION)
    [former] = versions.of(record)

    def restore() -> None:
        versions.restore(record, former.version, by=Person(crowd.alice), actor=crowd.alice)

    found = crowd.locked_beside(record, restore)
    assert found is not None
    assert found.current == former.object
    assert read(found) == text(0)


def test_versions_beside_deletions_and_returns(crowd: Crowd) -> None:
    """A file that is put away, brought back and deleted for good costs no upload its bytes."""
    crowd.put(1000, crowd.alice, Conflict.VERSION)
    who = Person(crowd.alice)

    def put(number: int) -> tuple[Any, bytes]:
        return crowd.put(number, crowd.alice, Conflict.VERSION).pk, text(number)

    def remove(number: int) -> None:
        for record in FileRecord.objects.select_related("owner", "folder"):
            with suppress(NoSuchFolder, purging.NotInTheTrash):
                if number % 3 == 0:
                    trash.put_away(record, by=who, actor=crowd.alice)
                elif number % 3 == 1:
                    trash.restore(record, by=who, actor=crowd.alice)
                else:
                    purging.delete_for_good(record, by=who, actor=crowd.alice)

    stored = [found for found in crowd.each(put, remove, times=3) if found is not None]
    there = all_there()
    events = AuditEvent.objects.filter(event="file_deleted")
    gone = set(events.values_list("file_id", flat=True))
    assert [pk for pk, content in stored if content not in there and pk not in gone] == []


def test_a_download_beside_its_deletion_for_good_is_whole_or_short_and_never_damage(
    crowd: Crowd,
) -> None:
    content = bytes(range(256)) * 40_000
    to = Destination(crowd.case)
    who = Person(crowd.alice)
    for read_before in (0, 1, 5):
        record = storing.store(crowd.alice, [content], name="large.bin", destination=to)
        chunks = opening.open_file(record).chunks()
        received = b"".join(next(chunks) for _ in range(read_before))
        trash.put_away(record, by=who, actor=crowd.alice)
        purging.delete_for_good(record, by=who, actor=crowd.alice)
        with suppress(FileDamaged):
            for chunk in chunks:
                received += chunk
        assert content.startswith(received)
    assert not AuditEvent.objects.filter(event="damage_found").exists()
    assert not StoredObject.objects.exists()
