"""A statement asks what its queryset would, with the values and at the moment of each question."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from files.models import StoredObject
from runtime.statements import NUMBER, NUMBERS, TEXT, NotConstant, _converters, now, statement

pytestmark = pytest.mark.django_db


@statement(name=TEXT)
def called(name: Any) -> QuerySet[User]:
    return User.objects.filter(username=name).order_by("pk")


@statement(numbers=NUMBERS)
def numbered(numbers: Any, down: bool = False) -> QuerySet[User, int]:
    people = User.objects.filter(pk__in=numbers).order_by("-pk" if down else "pk")
    return people.values_list("pk", flat=True)


@statement(name=TEXT)
def joined_by_now(name: Any) -> QuerySet[User]:
    return User.objects.filter(username=name, date_joined__lte=now())


def test_each_question_has_its_own_values_and_an_answer_of_its_own(alice: User, bob: User) -> None:
    assert (called(name="alice"), called(name="bob")) == ([alice], [bob])
    User.objects.filter(pk=alice.pk).update(first_name="Alice")
    assert called(name="alice")[0].first_name == "Alice"
    User.objects.filter(pk=alice.pk).update(username="somebody")
    assert called(name="alice") == []
    assert called.first(name="alice") is None


def test_what_is_asked_is_not_part_of_the_text(alice: User) -> None:
    assert called(name="'; DROP TABLE accounts_user; --%s%%") == []
    assert called(name="alice") == [alice]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_lists_of_any_length(count: int) -> None:
    people = [User.objects.create(username=f"person {number}").pk for number in range(count)]
    others = User.objects.create(username="another")
    assert numbered(numbers=people) == people
    assert others.pk not in numbered(numbers=people)
    assert numbered(numbers=people, down=True) == people[::-1]


def test_it_is_one_query_as_ever(alice: User) -> None:
    called(name="alice")
    with CaptureQueriesContext(connection) as queries:
        called(name="alice")
    assert len(queries) == 1


def test_the_moment_is_that_of_the_question(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    later = timezone.now() + timedelta(hours=1)
    User.objects.filter(pk=alice.pk).update(date_joined=later)
    assert joined_by_now(name="alice") == []
    monkeypatch.setattr("django.utils.timezone.now", lambda: later + timedelta(seconds=1))
    assert joined_by_now(name="alice") == [alice]


def test_a_moment_or_an_id_that_would_be_kept_is_refused() -> None:
    @statement(name=TEXT)
    def frozen(name: Any) -> QuerySet[User]:
        return User.objects.filter(username=name, date_joined__lte=timezone.now())

    @statement(number=NUMBER)
    def of_one_file(number: Any) -> QuerySet[User]:
        mine = "0192f3a4-5b6c-7d8e-9f00-112233445566"
        return User.objects.filter(pk=number, username=mine)

    with pytest.raises(NotConstant):
        frozen(name="alice")
    with pytest.raises(NotConstant):
        of_one_file(number=1)


def test_what_makes_values_is_found_once_for_each_connection(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection's own, and no other's: a moment without a zone is read by its settings."""
    assert called(name="alice") == [alice]
    with monkeypatch.context() as patch:
        patch.setattr(SQLCompiler, "get_converters", None)
        [again] = called(name="alice")
    assert (again.date_joined, again.is_active) == (alice.date_joined, True)
    written: Any = next(iter(called._written.values()))
    other = connection.copy()
    kept = _converters(written, other, [one for one, *_ in written.compiler.select])
    assert kept is _converters(written, other, [])
    assert kept is not _converters(written, connection, [])
    makers = [maker for some, _ in kept.values() for maker in some]
    assert makers or connection.vendor == "postgresql"
    assert all(maker.__self__ is other.ops for maker in makers)


# --- Changes ----------------------------------------------------------------------------------


@statement(number=NUMBER)
def numbered_once(number: Any) -> QuerySet[User]:
    return User.objects.filter(pk=number, is_active=True)


@pytest.mark.parametrize("name", ["Alice", "", "'; DROP TABLE accounts_user; --%s%%"])
def test_fields_are_changed_of_the_rows_alone(alice: User, bob: User, name: str) -> None:
    assert numbered_once.update({"first_name": name}, number=alice.pk) == 1
    assert numbered_once.update({"first_name": "other"}, number=bob.pk + 1000) == 0
    alice.refresh_from_db()
    bob.refresh_from_db()
    assert (alice.first_name, bob.first_name) == (name, "")


def test_other_fields_are_another_statement(alice: User) -> None:
    moment = timezone.now()
    numbered_once.update({"first_name": "A", "last_name": "B"}, number=alice.pk)
    numbered_once.update({"last_name": "C", "first_name": "D"}, number=alice.pk)
    numbered_once.update({"last_login": moment}, number=alice.pk)
    alice.refresh_from_db()
    assert (alice.first_name, alice.last_name, alice.last_login) == ("D", "C", moment)
    numbered_once.update({"last_login": None}, number=alice.pk)
    alice.refresh_from_db()
    assert alice.last_login is None


def test_values_of_every_kind_arrive(alice: User) -> None:
    """Also after the first time, when nothing was there of which the statement was written."""
    row = StoredObject.objects.create(
        file_id=uuid.uuid4(),
        object_name="name",
        creator=alice,
        stream_created_at=1,
        wrapped_key=b"",
    )
    each: list[dict[str, Any]] = [
        {"etags": [], "carry": b"", "chain": None, "sealed": False, "offset": 0},
        {"etags": ['a"%s'], "carry": b"\x00%s", "chain": b"c", "sealed": False, "offset": 2**40},
        {"etags": [{"a": None}], "carry": b"\xff", "chain": None, "sealed": False, "offset": 1},
    ]
    for fields in each:
        assert row.change("", **fields)
        there = StoredObject.objects.get(pk=row.pk)
        for name, value in fields.items():
            found = getattr(there, name)
            assert (bytes(found) if isinstance(found, memoryview) else found) == value


def test_a_value_that_the_database_makes_is_refused(alice: User) -> None:
    for _ in range(2):
        with pytest.raises(NotConstant):
            numbered_once.update({"last_login": Now()}, number=alice.pk)
        numbered_once.update({"last_login": timezone.now()}, number=alice.pk)


def test_what_a_database_refuses_spoils_the_transaction(alice: User, bob: User) -> None:
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            numbered_once.update({"username": "bob"}, number=alice.pk)
        assert transaction.get_rollback()
        transaction.set_rollback(True)


# --- Locks ------------------------------------------------------------------------------------


@statement(number=NUMBER)
def locked(number: Any) -> QuerySet[User]:
    return User.objects.select_for_update().filter(pk=number)


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_in_a_transaction_alone(alice: User) -> None:
    """Django says so when it writes the query, and that is once."""
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        assert locked(number=alice.pk) == [alice]
    sql = queries.captured_queries[-1]["sql"]
    assert ("FOR UPDATE" in sql) is connection.features.has_select_for_update
    with pytest.raises(transaction.TransactionManagementError):
        locked(number=alice.pk)
