"""Pages of who can read something: as many as there are, and nobody counts them."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.access.explaining import access_of
from files.access.principals import Person
from files.models import FileRecord
from files.web.readers import Readers, readers_of
from tests.files.conftest import give


def shown(record: FileRecord, page: str = "1", ended: str = "1") -> Readers:
    access = access_of(Person(record.owner), record)
    assert access is not None
    return readers_of(record, access, set(), user=record.owner, page=page, ended_page=ended)


@pytest.mark.parametrize("number", ["", "0", "-1", "²", "x", "4", "9" * 30])
def test_what_is_no_page_is_the_first(
    record: FileRecord, bob: User, settings: Settings, number: str
) -> None:
    settings.GRANTS_PER_PAGE = 2
    for _ in range(5):
        give(record, bob)
    assert shown(record, number).living == shown(record).living
    assert [shown(record, page).living.how_many for page in ("1", "2", "3")] == ["2+", "4+", "5"]


def test_nobody_counts_them(
    record: FileRecord, bob: User, settings: Settings, django_assert_max_num_queries: Any
) -> None:
    settings.GRANTS_PER_PAGE = 2
    for _ in range(3):
        give(record, bob)
        give(record, bob, expires_at=timezone.now())
    with django_assert_max_num_queries(12) as asked:
        readers = shown(record, "2", "2")
    assert not [one["sql"] for one in asked.captured_queries if "COUNT(*)" in one["sql"]]
    for part in (readers.living, readers.ended):
        assert (part.how_many, part.has_previous, part.has_next) == ("3", True, False)
        assert part.previous_page_number == 1


def test_a_page_that_is_full_to_its_last_line_has_none_after_it(
    record: FileRecord, bob: User, settings: Settings
) -> None:
    settings.GRANTS_PER_PAGE = 2
    for _ in range(2):
        give(record, bob)
    readers = shown(record)
    assert (readers.living.how_many, readers.living.has_other_pages) == ("2", False)
    assert (readers.ended.how_many, readers.is_nobody) == ("", False)


def test_it_is_its_owners_alone(record: FileRecord) -> None:
    assert shown(record).is_nobody
