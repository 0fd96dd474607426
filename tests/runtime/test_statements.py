"""A statement asks what its queryset would, with the values and at the moment of each question."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from runtime.statements import NUMBER, NUMBERS, TEXT, NotConstant, now, statement

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
