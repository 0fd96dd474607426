"""One event as a row: what is read back is what was written, or shows that it is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import connection, transaction

from audit import appending
from audit.models import AuditEvent
from tests.audit.flush import lifted

pytestmark = pytest.mark.django_db


def an_event() -> AuditEvent:
    return AuditEvent(
        id=1,
        at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        event="file_downloaded",
        actor_id=None,
        actor_name="Ünï % 'quoted'",
        address="192.0.2.7",
        user_agent="",
        request_id="",
        file_id=UUID(int=7),
        grant_id=2**40,
        data={"b": None, "a": -(2**63), "text": "50 % of ; --", "yes": True},
        previous_mac="0" * 64,
        mac="1" * 64,
    )


def test_what_was_written_is_read_back_as_it_was_given() -> None:
    row = an_event()
    with transaction.atomic(), connection.cursor() as cursor:
        there = appending.append(cursor, row)
    assert there == {name: getattr(row, name) for name in appending.COLUMNS}
    found = AuditEvent.objects.get()
    assert {name: getattr(found, name) for name in appending.COLUMNS} == there


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_what_the_database_dropped_is_not_there() -> None:
    with lifted(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER foreign_one BEFORE INSERT ON audit_auditevent"
            " BEGIN SELECT RAISE(IGNORE); END"
        )
        with transaction.atomic():
            assert appending.append(cursor, an_event()) is None
        cursor.execute("DROP TRIGGER foreign_one")
