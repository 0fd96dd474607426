"""What SQLite holds and PostgreSQL would refuse is found, and nothing else is."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from accounts.models import User
from files.models import StoredObject
from files.recovery import database_closing, fitting
from tests.integration import moves


def run(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def told() -> list[str]:
    return [str(misfit) for misfit in fitting.misfits(database_closing.moved_models())]


@pytest.mark.usefixtures("s3", "db")
def test_whatever_the_site_writes_fits() -> None:
    moves.fill()
    assert told() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a\0b", "a NUL character (code 0) is in the text"),
        ("x" * 151, "151 characters, of which it may have 150"),
        (b"\xff", "'\ufffd' is no text"),
    ],
)
def test_text(value: object, reason: str) -> None:
    group = Group.objects.create(name="a")
    run("UPDATE auth_group SET name = %s", value)
    assert told() == [f"auth_group, key {group.pk}, column name: {reason}"]


@pytest.mark.django_db
def test_bytes_that_are_no_text_in_utf_8() -> None:
    group = Group.objects.create(name="a")
    run("UPDATE auth_group SET name = CAST(%s AS TEXT)", b"\xff\xfe")
    assert told() == [f"auth_group, key {group.pk}, column name: its bytes are no text in UTF-8"]


@pytest.fixture
def stored(db: None) -> StoredObject:
    return StoredObject.objects.create(
        file_id=uuid4(),
        object_name="x",
        state=StoredObject.State.DOOMED,
        master_key_id="key",
        wrapped_key=b"\xff",
        stream_created_at=1,
        state_changed_at=timezone.now(),
    )


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("wrapped_key", "text", "'text' is text or a number, where bytes belong"),
        ("state_changed_at", "yesterday", "'yesterday' is no date and time"),
        ("state_changed_at", "2026-13-01 00:00:00", "'2026-13-01 00:00:00' is no date and time"),
        ("file_id", "nothing", "'nothing' is no UUID"),
        ("etags", '["a\\u0000b"]', "a NUL character (\\u0000) is in the JSON"),
        ("etags", '{"\\u0000": 1}', "a NUL character (\\u0000) is in the JSON"),
        ("etags", '["\\ud800"]', "half a character (\\ud800 to \\udfff, alone) is in the JSON"),
        ("stream_created_at", "soon", "'soon' is no whole number"),
        ("stream_created_at", 1.5, "'1.5' is no whole number"),
    ],
)
def test_values_of_other_kinds(
    stored: StoredObject, column: str, value: object, reason: str
) -> None:
    run(f"UPDATE files_storedobject SET {column} = %s", value)  # noqa: S608
    assert told() == [f"files_storedobject, key {stored.pk}, column {column}: {reason}"]


def test_json_that_is_none() -> None:
    field = StoredObject._meta.get_field("etags")
    assert fitting.refusal(field, "text", b"[1") == "'[1' is no JSON"
    assert fitting.refusal(field, "integer", 1) == "'1' is no JSON"
    assert fitting.refusal(field, "text", b"[NaN]") == "NaN or Infinity is in the JSON"
    assert fitting.refusal(field, "text", b'["NaN", null, 1e5]') is None
    assert fitting.refusal(field, "null", None) is None


@pytest.mark.django_db
def test_truths_that_are_none(alice: User) -> None:
    run("UPDATE accounts_user SET is_staff = 7")
    assert told() == [f"accounts_user, key {alice.pk}, column is_staff: '7' is neither 0 nor 1"]


def test_the_bounds_of_integers() -> None:
    field = Group._meta.get_field("id")
    assert field.get_internal_type() == "AutoField"
    assert fitting.refusal(field, "integer", 2**31 - 1) is None
    assert fitting.refusal(field, "integer", 2**31) == (
        "2147483648 is out of range: it may be from -2147483648 to 2147483647"
    )


@pytest.mark.django_db
def test_names_that_differ_by_case_alone() -> None:
    """SQLite compares the case of ASCII alone, and would let both in."""
    first = User.objects.create(username="Ärger", email="a@example.org")
    second = User.objects.create(username="ärger", email="b@example.org")
    words = "differs from another one by upper and lower case alone"
    assert told() == [
        f"accounts_user, key {first.pk}, column username: 'Ärger' {words}",
        f"accounts_user, key {second.pk}, column username: 'ärger' {words}",
    ]
