"""Very many rows in order: by a cursor on the server, or in pages where there is none."""

from __future__ import annotations

from operator import itemgetter

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

import audit
from audit import chain
from audit.models import AuditEvent
from audit.reading import in_order


@pytest.fixture
def ten(db: None) -> list[int]:
    return [audit.record(audit.Event.SWEPT).pk for _ in range(10)]


@pytest.mark.parametrize(("holding", "disabled", "queries"), [
    (True, False, 1), (True, True, 4), (False, False, 4),
])  # fmt: skip
def test_all_rows_come_once_and_in_order(
    ten: list[int],
    holding: bool,
    disabled: bool,
    queries: int,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", disabled)
    rows = AuditEvent.objects.values_list("id", "mac")
    with django_assert_num_queries(queries + (queries > 1)):
        found = list(in_order(rows, size=3, key=itemgetter(0), holding=holding))
    assert [number for number, _mac in found] == ten


def test_the_log_is_verified_in_pages_too(ten: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    assert chain.verify().number == 10
