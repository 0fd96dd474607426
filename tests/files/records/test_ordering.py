"""Places: the order of lists as one number, which nothing changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from files.models import FileRecord, Grant
from files.records.ordering import FIRST, LAST, TIES, Places
from tests.files.test_models import filed

MOMENTS = st.timedeltas(timedelta(0), timedelta(days=70_000)).map(
    lambda since: datetime(1900, 1, 1, tzinfo=UTC) + since
)


@given(MOMENTS, MOMENTS)
def test_who_came_later_has_the_greater_place(one: datetime, other: datetime) -> None:
    places = Places()
    first, second = places.at(one), places.at(other)
    assert first != second
    if one != other:
        assert (one < other) == (first < second)


def test_many_in_one_microsecond_have_places_of_their_own() -> None:
    at, places = datetime(2030, 1, 1, tzinfo=UTC), Places()
    taken = {places.at(at) for _ in range(TIES)}
    assert len(taken) == TIES
    assert max(taken) < places.at(at + timedelta(microseconds=1))


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_out_of_all_bounds_fits_a_column(year: int) -> None:
    assert FIRST <= Places().at(datetime(year, 1, 1, tzinfo=UTC)) <= LAST


def test_rows_made_singly_and_in_bulk_have_their_places(alice: User, bob: User) -> None:
    old = filed(alice, created_at=datetime(2020, 1, 1, tzinfo=UTC))
    new = filed(alice)
    assert list(FileRecord.objects.all()) == [new, old]
    single = Grant.objects.create(file=old, user=bob)
    [bulk] = Grant.objects.bulk_create([Grant(file_id=new.pk, user=bob)])
    for grant, record in ((single, old), (bulk, new)):
        grant.refresh_from_db()
        assert grant.file_place == record.place


def refused(words: str) -> pytest.RaisesExc[DatabaseError]:
    return pytest.raises(DatabaseError, match=words)


def test_the_database_lets_nobody_move_a_file(alice: User) -> None:
    record = filed(alice)
    with refused("a file keeps its place"), transaction.atomic():
        FileRecord.objects.filter(pk=record.pk).update(place=1)
    record.name = "another"
    record.save()
    assert FileRecord.objects.get().place == record.place


def test_the_database_takes_no_grant_with_the_place_of_another_file(alice: User, bob: User) -> None:
    record, other = filed(alice), filed(alice)
    with refused("a grant has the place of its file"), transaction.atomic():
        Grant.objects.create(file=record, user=bob, file_place=other.place)
    grant = Grant.objects.create(file=record, user=bob)
    with refused("a grant has the place of its file"), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(file=other)
    Grant.objects.filter(pk=grant.pk).update(file=other, file_place=other.place)
