"""What the database refuses, whatever the code does; and what the models say of themselves."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.models import User
from files.models import FileRecord, Folder, Grant, StoredObject
from files.records.names import MAX_NAME_BYTES, fold_name
from files.tree import placing
from runtime.inserting import insert

State = StoredObject.State
NOW = timezone.now()


def stored(**fields: Any) -> StoredObject:
    """An object's row: live, sealed and of one byte unless `fields` say otherwise."""
    defaults: dict[str, Any] = {
        "file_id": uuid.uuid4(),
        "object_name": uuid.uuid4().hex,
        "state": State.LIVE,
        "sealed": True,
        "size": 1,
        "object_size": 185,
        "master_key_id": "0123456789abcdef",
        "wrapped_key": b"wrapped",
        "stream_created_at": 1_700_000_000,
    }
    row = StoredObject(**{**defaults, **fields})
    insert(row)
    return row


def filed(owner: User, **fields: Any) -> FileRecord:
    """A file's record over a row of its own; there is nothing in any store."""
    row = fields.pop("current", None) or stored()
    record = FileRecord(
        **{"id": row.file_id, "name": "a.txt", "size": 1, "owner": owner, "current": row, **fields}
    )
    record.derive_names()
    insert(record)
    return record


def placed(owner: User, folder: Folder | None = None, **fields: Any) -> FileRecord:
    """As `filed`, in a folder under a free name of it; by default in its owner's root."""
    folder = folder or placing.root_of(owner)
    name = placing.free_name(folder, fields.pop("name", "a.txt"))
    record = filed(folder.owner, name=name, folder=folder, **{"uploaded_by": owner, **fields})
    placing.enter(record, folder)
    return record


def refused(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=constraint)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"state": State.LIVE, "sealed": False, "size": 0, "object_size": 0},
        {"state": State.DAMAGED, "sealed": False, "size": 0, "object_size": 0},
        {"state": State.WRITING, "sealed": True},
        {"state": "other"},
    ],
)
def test_only_a_sealed_object_is_live(fields: dict[str, Any]) -> None:
    with refused("storedobject_live_is_sealed"):
        stored(**fields)


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{"size": 1}, {"object_size": 1}])
def test_an_unsealed_object_has_no_size(fields: dict[str, Any]) -> None:
    with refused("storedobject_size_is_sealed"):
        stored(**{"state": State.WRITING, "sealed": False, "size": 0, "object_size": 0, **fields})


@pytest.mark.django_db
@pytest.mark.parametrize("second", [State.LIVE, State.DAMAGED])
def test_a_file_has_one_live_object(second: State) -> None:
    row = stored()
    with refused("file_id"):
        stored(file_id=row.file_id, state=second)


@pytest.mark.django_db
def test_a_file_may_have_doomed_objects_and_one_being_written_beside_its_live_one() -> None:
    row = stored()
    stored(file_id=row.file_id, state=State.DOOMED)
    stored(file_id=row.file_id, state=State.DOOMED)
    stored(file_id=row.file_id, state=State.WRITING, sealed=False, size=0, object_size=0)
    assert StoredObject.objects.filter(file_id=row.file_id).count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["stream_id", "object_name"])
def test_streams_and_objects_are_told_apart(field: str) -> None:
    row = stored()
    with refused(field):
        stored(**{field: getattr(row, field)})


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["size", "object_size", "stream_created_at"])
def test_no_size_is_negative(field: str) -> None:
    with refused(field):
        stored(**{field: -1})


def test_an_object_is_current_for_one_file(alice: User) -> None:
    row = filed(alice).current
    with refused("current_id"):
        filed(alice, id=uuid.uuid4(), current=row)


def test_neither_owner_nor_object_can_go_before_the_file(alice: User) -> None:
    record = filed(alice)
    with pytest.raises(ProtectedError):
        record.current.delete()
    with pytest.raises(ProtectedError):
        alice.delete()


@pytest.mark.parametrize("both", [True, False])
def test_a_grant_is_to_one_user_or_one_group(alice: User, bob: User, both: bool) -> None:
    record = filed(alice)
    fields = {"user": bob, "group": Group.objects.create(name="Team")} if both else {}
    grant = Grant(file=record, **fields)
    with pytest.raises(ValidationError, match="exactly one"):
        grant.full_clean()
    with refused("grant_to_user_or_group"), transaction.atomic():
        grant.save()


@pytest.mark.parametrize("length", [timedelta(0), timedelta(seconds=-1)])
def test_a_grant_starts_before_it_expires(alice: User, bob: User, length: timedelta) -> None:
    grant = Grant(file=filed(alice), user=bob, starts_at=NOW, expires_at=NOW + length)
    with pytest.raises(ValidationError, match="must start before it expires"):
        grant.full_clean()
    with refused("grant_starts_before_it_expires"), transaction.atomic():
        grant.save()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "live"),
        ({"starts_at": NOW}, "live"),
        ({"starts_at": NOW + timedelta(seconds=1)}, "scheduled"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW + timedelta(seconds=1)}, "live"),
        ({"revoked_at": NOW, "starts_at": NOW + timedelta(1)}, "revoked"),
        ({"revoked_at": NOW, "expires_at": NOW - timedelta(1)}, "revoked"),
    ],
)
def test_a_grant_says_how_it_stands(fields: dict[str, Any], status: str) -> None:
    assert Grant(**fields).status_at(NOW) == status


def test_a_grant_names_whom_it_is_for(bob: User) -> None:
    assert str(Grant(user=bob)) == "Download for bob"
    assert "Team" in str(Grant(group=Group(pk=1, name="Team"), level=Grant.Level.MANAGE))
    assert Grant().recipient_name == "nobody"


def test_the_name_that_searches_compare_follows_the_name(alice: User) -> None:
    record = filed(alice, name="\u00c4RGER.txt")
    assert record.folded_name == "\u00e4rger.txt"
    record.name = "FREUDE.txt"
    record.save(update_fields=["name"])
    record.refresh_from_db()
    assert record.folded_name == "freude.txt"


@given(st.text(min_size=1).filter(lambda name: len(name.encode()) <= MAX_NAME_BYTES))
@example("\ufdfa" * 85)
def test_the_folded_name_of_every_name_fits_its_column(name: str) -> None:
    column = FileRecord._meta.get_field("folded_name")
    assert len(fold_name(name)) <= (column.max_length or 0)


def test_a_file_and_its_object_describe_themselves(alice: User) -> None:
    record = filed(alice)
    assert str(record) == "a.txt"
    assert str(record.current) == f"{record.current.object_name} (live)"
    assert record.get_absolute_url() == f"/files/{record.id}/"
    assert record.current.context.file_id == record.id
    assert record.current.context.stream_id == record.current.stream_id
