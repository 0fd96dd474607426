"""Pieces of one download that begin and end at once are one event, on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from pytest_django import DjangoDbBlocker

from accounts.models import User
from audit import chain
from audit.models import AuditEvent
from files.models import DownloadSession, FileRecord
from files.vault import downloading
from tests.audit.databases import as_default

PIECES, LENGTH, ROUNDS = 6, 1000, 5


def test_pieces_at_once_are_one_event(
    migrated_database: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), as_default(migrated_database):
        # Never saved: the owner's access takes no query.
        user = User(pk=1, username="alice")
        size = PIECES * LENGTH
        for _ in range(ROUNDS):
            record = FileRecord(id=uuid.uuid4(), owner=user, size=size)
            together = Barrier(PIECES)

            def send(piece: int, record: FileRecord = record, together: Barrier = together) -> None:
                part = downloading.Part(piece * LENGTH, (piece + 1) * LENGTH)
                with as_default(migrated_database):
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
