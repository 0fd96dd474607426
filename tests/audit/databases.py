"""Another database in the place of the default one, for tests that need a real one on disk."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import load_backend

from audit import Event, chain, record
from audit.models import AuditEvent

Configuration = dict[str, Any]


@contextmanager
def as_default(configuration: Configuration) -> Iterator[None]:
    """Make the database the default one of this thread, and of no other."""
    settings = connections.configure_settings({"default": configuration})["default"]
    backend = load_backend(settings["ENGINE"])
    original = connections["default"]
    connections["default"] = backend.DatabaseWrapper(settings, "default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = original


def migrate(target: str | None = "0002_append_only") -> None:
    """Bring the audit app of the default database to that migration, or to none."""
    MigrationExecutor(connection).migrate([("audit", target)])


def migrate_all() -> None:
    """Bring every app of the default database to its newest migration."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def write_at_once(configuration: Configuration, *, threads: int, events: int) -> None:
    """Let several threads append so many events each, all starting together."""
    start = Barrier(threads)

    def write(thread: int) -> None:
        with as_default(configuration):
            start.wait(timeout=10)
            for number in range(events):
                record(Event.COMMAND_RUN, thread=thread, number=number)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(threads)))


def write_quickly(count: int, *, batch: int = 500) -> None:
    """Rows as `record` writes them, in few statements and little memory."""
    rows, link = [], chain.GENESIS
    with transaction.atomic():
        for number in range(1, count + 1):
            row = AuditEvent(
                id=number,
                at=datetime(2026, 1, 1, tzinfo=UTC),
                event=Event.SWEPT,
                data={"n": number},
            )
            row.previous_mac = link
            row.mac = link = chain.mac_of([getattr(row, field) for field in chain.FIELDS])
            rows.append(row)
            if len(rows) == batch or number == count:
                AuditEvent.objects.bulk_create(rows)
                rows.clear()
