"""A row that is inserted is what `save` makes of it, and the database's refusals are refusals."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from files.models import Entry, FileRecord, RecentFile, StoredObject, UploadSession
from files.tree import placing
from runtime.inserting import (
    STAYS,
    NotPlain,
    insert,
    insert_or_change,
    insert_unless_taken,
)
from tests.files.test_models import filed

if TYPE_CHECKING:
    from django.db.models import Field, Model

pytestmark = pytest.mark.django_db


def _object(owner: User, **fields: Any) -> StoredObject:
    return StoredObject(
        file_id=uuid.uuid4(),
        object_name=uuid.uuid4().hex,
        creator=owner,
        stream_created_at=1,
        wrapped_key=b"\x00%s",
        etags=["%s", 'a"b'],
        lease="it's %s",
        **fields,
    )


def _values(row: Model) -> dict[str, Any]:
    found = type(row)._base_manager.filter(pk=row.pk).values().get()
    return {name: bytes(one) if isinstance(one, memoryview) else one for name, one in found.items()}


def test_a_row_is_what_saving_makes_of_it(alice: User, bob: User) -> None:
    """The second one as well, which is not written anew."""
    for owner in (alice, bob):
        row = _object(owner, lease_seen_at=timezone.now())
        insert(row)
        assert row.pk is not None
        assert not row._state.adding
        saved = _object(owner, lease_seen_at=row.lease_seen_at)
        saved.save()
        own = {"id", "file_id", "stream_id", "object_name", "created_at", "state_changed_at"}
        ours, theirs = _values(row), _values(saved)
        assert {n: ours[n] for n in ours.keys() - own} == {n: theirs[n] for n in ours.keys() - own}
        assert (ours["file_id"], ours["created_at"]) == (row.file_id, row.created_at)


def test_what_follows_from_a_row_is_set_before(alice: User) -> None:
    """`pre_save` of the fields: the place of a file, and when it changed."""
    template = filed(alice)
    record = FileRecord(name="a", owner=alice, folder=template.folder, size=1)
    record.current = _object(alice)
    record.current.save()
    record.derive_names()
    insert(record)
    there = FileRecord.objects.get(pk=record.pk)
    assert there.current == record.current
    assert there.place == record.place
    assert there.place is not None
    assert there.updated_at == record.updated_at


class Spelt(str):
    """Text that Django turns into plain text on its way in."""

    __slots__ = ()


def _databases() -> list[Any]:
    elsewhere = {**connections.settings["default"], "NAME": "nowhere"}
    return [SQLite(elsewhere), PostgreSQL(elsewhere)]


@pytest.mark.parametrize("kind", STAYS)
def test_values_that_stay_as_they_are_would_have_come_out_so(kind: type[Field[Any, Any]]) -> None:
    values: dict[type, list[Any]] = {bool: [True, False], str: ["", "a%s", "é", "x" * 300]}
    for database in _databases():
        for value in values[STAYS[kind]]:
            made = kind().get_db_prep_save(value, database)
            assert (made, type(made)) == (value, STAYS[kind])


@pytest.mark.parametrize("model", [StoredObject, UploadSession, FileRecord, Entry, RecentFile])
def test_nothing_is_nothing_in_every_kind_of_field(model: type[Model]) -> None:
    for database in _databases():
        fields = model._meta.local_concrete_fields
        assert {field.get_db_prep_save(None, database) for field in fields} == {None}


def test_all_other_values_are_made_ready_by_django(alice: User) -> None:
    row = _object(alice, reserved="7", multipart_id=Spelt("id"))
    insert(row)
    there = StoredObject.objects.get(pk=row.pk)
    assert (there.reserved, there.multipart_id) == (7, "id")


def test_it_refers_to_no_row_that_is_none(alice: User) -> None:
    """Where a reference may be empty, that it is empty would go unnoticed."""
    insert(_object(alice))
    with pytest.raises(ValueError, match="not saved"):
        insert(_object(User(username="carol")))


def test_it_is_one_statement(alice: User) -> None:
    insert(_object(alice))
    with CaptureQueriesContext(connection) as queries:
        insert(_object(alice))
    assert len(queries) == 1


def test_what_the_database_refuses_is_not_committed(alice: User) -> None:
    there = _object(alice)
    insert(there)
    twice = _object(alice)
    twice.object_name = there.object_name
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(first_name="Alice")
        with pytest.raises(IntegrityError):
            insert(twice)
        # Caught, and the transaction goes on: it must not end well.
        raise IntegrityError
    alice.refresh_from_db()
    assert alice.first_name == ""
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            insert(twice)
        assert transaction.get_rollback()
        transaction.set_rollback(True)


def test_unless_it_is_taken(alice: User) -> None:
    """The transaction goes on, and what was there stays."""
    root = placing.root_of(alice)
    first, second = filed(alice, name="a", folder=root), filed(alice, name="b", folder=root)
    with transaction.atomic():
        assert insert_unless_taken(Entry(parent=root, key="k", file=first))
        refused = Entry(parent=root, key="k", file=second)
        assert not insert_unless_taken(refused)
        assert refused._state.adding
        assert not transaction.get_rollback()
    assert [entry.file for entry in Entry.objects.filter(parent=root)] == [first]


def test_or_the_one_that_is_there_is_changed(alice: User, bob: User) -> None:
    file, other = filed(alice), filed(alice)
    for person, one, way in [
        (alice, file, "opened"),
        (alice, other, "opened"),
        (bob, file, "opened"),
        (alice, file, "added"),
    ]:
        row = RecentFile(user=person, file=one, way=way)
        insert_or_change(row, unique=("user", "file"), change=("way", "at"))
    found = RecentFile.objects.order_by("user", "way").values_list("user", "file", "way")
    assert list(found) == [
        (alice.pk, file.pk, "added"),
        (alice.pk, other.pk, "opened"),
        (bob.pk, file.pk, "opened"),
    ]


def test_what_the_database_makes_is_not_for_this(alice: User) -> None:
    with pytest.raises(NotPlain):
        insert(_object(alice, lease_seen_at=Now()))
    insert(_object(alice))
    with pytest.raises(NotPlain):
        insert(_object(alice, lease_seen_at=Now()))


def test_nobody_who_wants_to_be_told_is_passed_over() -> None:
    with pytest.raises(NotPlain):
        insert(User(username="carol"))
