"""A transfer keeps its session alive while it runs, and writes little for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import session_activity, sessions
from accounts.models import User
from files.vault import storing
from tests.files.multipart import CONTENT_TYPE, body, field, file


@pytest.fixture
def alive(client: Client, alice: User) -> Client:
    client.force_login(alice)
    client.get("/files/")
    return client


def age() -> float:
    """Seconds since the session was seen, as its row says."""
    seen: datetime = UserSession.objects.get().last_seen_at
    return (timezone.now() - seen).total_seconds()


class Clock:
    """Time passes while bytes do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = timedelta()
        now = timezone.now
        monkeypatch.setattr(timezone, "now", lambda: now() + self.passed)
        monkeypatch.setattr(
            session_activity, "monotonic", lambda: monotonic() + self.passed.total_seconds()
        )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_download_is_a_sign_of_life_while_it_runs(
    alive: Client, s3: object, alice: User, clock: Clock
) -> None:
    record = storing.store(alice, [bytes(4 << 20)], name="a")
    answer: Any = alive.get(f"/files/{record.pk}/download/")
    chunks: Iterator[bytes] = iter(answer.streaming_content)
    next(chunks)
    for hours in (5, 10, 15):
        clock.passed = timedelta(hours=hours)
        next(chunks)
        assert abs(age()) < 30
    answer.close()


def test_it_is_noted_once_a_minute_at_most(
    alive: Client, s3: object, alice: User, clock: Clock
) -> None:
    record = storing.store(alice, [bytes(4 << 20)], name="a")
    clock.passed = timedelta(minutes=2)
    with CaptureQueriesContext(connection) as queries:
        answer: Any = alive.get(f"/files/{record.pk}/download/")
        assert sum(map(len, answer.streaming_content)) == 4 << 20
    written = [q for q in queries if q["sql"].startswith('UPDATE "usersessions')]
    assert len(written) == 1


def test_it_is_looked_at_once_a_second_and_not_for_each_piece(
    alive: Client, s3: object, alice: User, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = storing.store(alice, [bytes(4 << 20)], name="a")
    monkeypatch.setattr(session_activity, "monotonic", lambda: clock.passed.total_seconds() + 1e9)
    looks: list[object] = []
    monkeypatch.setattr(sessions, "note_again", looks.append)
    answer: Any = alive.get(f"/files/{record.pk}/download/")
    chunks: Iterator[bytes] = iter(answer.streaming_content)
    looks.clear()
    for fifths in range(12):
        clock.passed = timedelta(seconds=fifths / 5)
        next(chunks)
    assert len(looks) == 3
    answer.close()


class Slow:
    """A body that arrives over hours."""

    def __init__(self, content: bytes, clock: Clock, ages: list[float]) -> None:
        self._left = content
        self._clock = clock
        self._ages = ages

    def read(self, size: int = -1) -> bytes:
        size = min(size if size > 0 else 4096, 4096)
        part, self._left = self._left[:size], self._left[size:]
        self._clock.passed += timedelta(hours=1)
        self._ages.append(age())
        return part

    def readline(self, size: int = -1) -> bytes:
        raise AssertionError("nobody reads lines of a body")

    def __len__(self) -> int:
        return len(self._left)


@pytest.mark.parametrize("door", ["tus", "form"])
def test_an_upload_is_a_sign_of_life_while_it_runs(
    alive: Client, s3: object, clock: Clock, door: str
) -> None:
    content = bytes(64 << 10)
    if door == "form":
        sent, path, kind = (
            body(field("custody", "managed"), file("a", content)),
            "/files/upload/",
            CONTENT_TYPE,
        )
        headers = {}
    else:
        sent, path, kind = content, "/uploads/", "application/offset+octet-stream"
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(content)),
            "Upload-Metadata": "filename YQ==",
        }
    ages: list[float] = []
    extra: dict[str, Any] = {
        "wsgi.input": Slow(sent, clock, ages),
        "CONTENT_LENGTH": str(len(sent)),
        "CONTENT_TYPE": kind,
    }
    answer = alive.generic("POST", path, headers=headers, **extra)
    assert answer.status_code in {201, 302}
    assert len(ages) > 10
    # Each looks back at the hour before it, never further.
    assert max(ages) < 2 * 3600
    assert alive.get("/files/").status_code == 200
