"""The same grant from several people at once is one, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.models import FileRecord, Grant
from files.sharing import granting
from tests.audit.databases import as_default
from tests.files.test_models import filed

AT_ONCE = 10
LEVEL = Grant.Level.DOWNLOAD

Give = Callable[[FileRecord, User, User, datetime | None], object]


def singly(record: FileRecord, recipient: User, actor: User, until: datetime | None) -> None:
    new = Grant(file=record, user=recipient, level=LEVEL, expires_at=until)
    granting.grant(new, actor=actor)


def in_one_step(record: FileRecord, recipient: User, actor: User, until: datetime | None) -> None:
    granting.grant_many(
        [record],
        [recipient],
        level=LEVEL,
        starts_at=None,
        expires_at=until,
        reason="",
        actor=actor,
    )


def test_the_same_from_ten_at_once_is_one(
    migrated_database: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), as_default(migrated_database):
        alice, bob = (
            User.objects.create_user(name, f"{name}@example.org") for name in ("alice", "bob")
        )

        def give(door: Give, untils: list[datetime | None]) -> tuple[Grant, list[AuditEvent]]:
            """All of them at the same moment, by that door; what there is then, and the events."""
            record, together = filed(alice), Barrier(AT_ONCE)

            def one(until: datetime | None) -> None:
                with as_default(migrated_database):
                    together.wait(timeout=60)
                    door(record, bob, alice, until)

            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(one, untils))
            events = AuditEvent.objects.filter(file_id=record.pk).order_by("pk")
            return Grant.objects.get(file=record), list(events)

        day = timezone.now() + timedelta(days=1)
        for door in (singly, in_one_step):
            for _ in range(3):
                made, [event] = give(door, [None] * AT_ONCE)
                assert (made.expires_at, event.event) == (None, Event.GRANT_CREATED)
            # Of different times the longest, in whichever order they came.
            days = [day + timedelta(days=number) for number in range(AT_ONCE)]
            made, [first, *others] = give(door, [*days])
            assert (made.expires_at, first.event) == (days[-1], Event.GRANT_CREATED)
            assert {event.event for event in others} <= {Event.GRANT_CHANGED}
