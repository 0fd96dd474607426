"""The audit log on PostgreSQL: one chain under concurrent writers, and triggers that refuse."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event as Flag
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction
from pytest_django import DjangoDbBlocker, Settings

from audit import Event, chain, record
from audit.models import AuditEvent
from tests.audit.databases import as_default, migrate, write_at_once, write_quickly
from tests.integration.postgresql import server

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("log")]


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, Any]]:
    """Django's configuration of a fresh, empty PostgreSQL database."""
    with server() as configuration:
        yield configuration


@pytest.fixture
def log(postgres: dict[str, Any], django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The empty audit log on PostgreSQL, as the default database of this thread."""
    with django_db_blocker.unblock(), as_default(postgres):
        migrate()
        try:
            yield
        finally:
            migrate(None)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_threads_write_one_chain(postgres: dict[str, Any]) -> None:
    write_at_once(postgres, threads=8, events=50)
    assert chain.verify().number == 400


def test_a_transaction_that_rolls_back_leaves_no_gap() -> None:
    record(Event.SWEPT)
    with transaction.atomic():
        record(Event.SWEPT)
        transaction.set_rollback(True)
    record(Event.SWEPT)
    assert chain.verify().number == 2


def test_what_was_recorded_verifies() -> None:
    record(
        Event.FILE_DOWNLOADED,
        file_id=UUID(int=7),
        grant_id=12,
        zebra=1,
        ant=-(2**63),
        large=2**70,
        text='Ünï "quoted" \\ \x00 \ud800 𝄞',
        yes=True,
        nothing=None,
    )
    assert chain.verify().number == 1


def test_who_stands_still_in_its_turn_stops_nobody(
    postgres: dict[str, Any], settings: Settings
) -> None:
    """It is ended before those who wait give up, whatever else a transaction may be idle for."""
    settings.DATABASE_TIMEOUT, settings.DATABASE_IDLE_TIMEOUT = 2, 60
    held, done = Flag(), Flag()

    def stand_still() -> None:
        with (
            as_default(postgres),
            suppress(DatabaseError, InterfaceError),
            transaction.atomic(),
        ):
            record(Event.SWEPT, stopped=True)
            held.set()
            done.wait(20)
            AuditEvent.objects.count()

    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(stand_still)
        assert held.wait(10)
        sql("SET lock_timeout = '2s'")
        try:
            record(Event.SWEPT, stopped=False)
        finally:
            done.set()
        stopped.result(20)
    assert [event.data for event in AuditEvent.objects.all()] == [{"stopped": False}]
    assert chain.verify().number == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET actor_name = 'somebody else'",
        "DELETE FROM audit_auditevent",
        "TRUNCATE audit_auditevent",
        "TRUNCATE audit_auditevent CASCADE",
        "INSERT INTO audit_auditevent SELECT * FROM audit_auditevent "
        "ON CONFLICT (id) DO UPDATE SET actor_name = 'somebody else'",
    ],
)
def test_the_log_is_append_only(statement: str) -> None:
    record(Event.SWEPT, purged=3)
    with pytest.raises(IntegrityError, match="append-only"):
        sql(statement)
    assert AuditEvent.objects.get().actor_name == ""
    assert chain.verify().number == 1


def test_the_check_reads_through_a_cursor_on_the_server() -> None:
    write_quickly(2100)  # More than two of its chunks.
    assert chain.verify().number == 2100


def test_the_migration_goes_both_ways() -> None:
    record(Event.SWEPT)
    migrate("0001_initial")
    AuditEvent.objects.all().delete()
    migrate()
    record(Event.SWEPT)
    with pytest.raises(IntegrityError, match="append-only"):
        AuditEvent.objects.all().delete()
