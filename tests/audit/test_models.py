"""The database refuses to change or remove an event, by whatever road."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from audit import Event, record
from audit.models import AuditEvent
from tests.audit.databases import as_default, migrate

COLUMNS = ", ".join(field.attname for field in AuditEvent._meta.fields)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def save_again() -> None:
    event = AuditEvent.objects.get()
    event.actor_name = "somebody else"
    event.save()


ROADS: dict[str, Callable[[], object]] = {
    "update": lambda: AuditEvent.objects.update(actor_name="somebody else"),
    "save": save_again,
    "delete": lambda: AuditEvent.objects.all().delete(),
    "delete one": lambda: AuditEvent.objects.get().delete(),
    "sql update": lambda: sql("UPDATE audit_auditevent SET actor_name = 'somebody else'"),
    "sql delete": lambda: sql("DELETE FROM audit_auditevent"),
    "sql replace": lambda: sql(
        f"INSERT OR REPLACE INTO audit_auditevent ({COLUMNS}) "  # noqa: S608 - our own names
        f"SELECT {COLUMNS} FROM audit_auditevent"
    ),
    "sql replace by link": lambda: sql(
        f"INSERT OR REPLACE INTO audit_auditevent ({COLUMNS}) "  # noqa: S608 - our own names
        f"SELECT {COLUMNS.replace('id', '7', 1)} FROM audit_auditevent"
    ),
    "sql upsert": lambda: sql(
        f"INSERT INTO audit_auditevent ({COLUMNS}) "  # noqa: S608 - our own names
        f"SELECT {COLUMNS} FROM audit_auditevent WHERE true "
        "ON CONFLICT (id) DO UPDATE SET actor_name = 'somebody else'"
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("road", ROADS)
def test_the_log_is_append_only(road: str) -> None:
    before = record(Event.SWEPT, purged=3)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ROADS[road]()
    after = AuditEvent.objects.get()
    assert (after.mac, after.actor_name) == (before.mac, before.actor_name)


@pytest.mark.usefixtures("_database_access")
def test_the_triggers_go_and_come_with_their_migration(tmp_path: Path) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "audit.sqlite3"}

    def triggers() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")
            row: tuple[int] = cursor.fetchone()
        return row[0]

    with as_default(database):
        migrate()
        assert triggers() == 3
        migrate("0001_initial")
        assert triggers() == 0
        migrate()
        assert triggers() == 3


@pytest.mark.django_db(transaction=True)
def test_a_committed_event_is_cleaned_up_after_the_test() -> None:
    """Its own teardown is the point: `flush` would fail on the triggers."""
    record(Event.SWEPT)
    assert AuditEvent.objects.count() == 1
