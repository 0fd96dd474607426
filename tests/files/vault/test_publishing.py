"""Publishing: what comes of a verified object, and what the log says of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from accounts.models import User
from audit.models import AuditEvent
from files.models import FileRecord
from tests.files.conftest import CONTENT, Store


def test_an_upload_is_audited_once(
    store: Store, alice: User, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    record = store(alice)
    [event] = events("file_uploaded")
    assert event.pop("ms") >= 0
    assert [event] == [
        {"file_id": record.id, "actor": "alice", "size": len(CONTENT), "custody": "managed"}
    ]
    assert events("upload_aborted") == []


def test_no_event_of_a_file_holds_its_name_or_content(record: FileRecord) -> None:
    for event in AuditEvent.objects.all():
        assert "fox" not in str(event.data)


def test_every_file_has_an_id_and_a_stream_of_its_own(store: Store, alice: User) -> None:
    rows = [store(alice).current for _ in range(3)]
    assert len({row.stream_id for row in rows} | {row.file_id for row in rows}) == 6
    assert all(isinstance(row.stream_id, uuid.UUID) for row in rows)
