"""Pieces of one download that begin and end at once are one event, on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from accounts.models import User
from audit import chain
from audit.models import AuditEvent
from files import downloading
from files.models import DownloadSession, FileRecord
from tests.audit.databases import as_default
from tests.integration.postgresql import server

PIECES, LENGTH, ROUNDS = 6, 1000, 5


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    if request.param == "postgresql":
        with server() as configuration:
            yield configuration
    else:
        yield {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": tmp_path / "db.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL;",
            },
        }


def test_pieces_at_once_are_one_event(
    database: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), as_default(database):
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
        # Never saved: the owner's access takes no query.
        user = User(pk=1, username="alice")
        size = PIECES * LENGTH
        for _ in range(ROUNDS):
            record = FileRecord(id=uuid.uuid4(), owner=user, size=size)
            together = Barrier(PIECES)

            def send(piece: int, record: FileRecord = record, together: Barrier = together) -> None:
                part = downloading.Part(piece * LENGTH, (piece + 1) * LENGTH)
                with as_default(database):
                    together.wait(timeout=30)
                    sending = downloading.begin(record, part, user=user, session="s")
                    together.wait(timeout=30)
                    sending.end("complete", LENGTH, LENGTH)

            with ThreadPoolExecutor(PIECES) as pool:
                list(pool.map(send, range(PIECES)))
            event = AuditEvent.objects.get(file_id=record.pk)
            assert (event.data["outcome"], event.data["bytes"]) == ("complete", size)
            assert event.data["ranges"] == PIECES
        assert not DownloadSession.objects.filter(settled=False).exists()
        assert chain.verify().number == ROUNDS
