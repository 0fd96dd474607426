"""Twenty who take the last downloads of a link at once: as many get one as there are.

On SQLite and on PostgreSQL, each on a connection of its own.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.models import User
from audit.models import AuditEvent
from files.models import Link, LinkDownload
from files.vault import counting
from tests.audit.databases import as_default

PEOPLE, LEFT, SIZE = 20, 3, 1000


def test_the_last_downloads_go_to_as_many_as_there_are(
    migrated_database: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), as_default(migrated_database):
        maker = User.objects.create_user("alice", "alice@example.org")
        link = Link.objects.create(
            file_id=uuid.uuid4(),
            maker=maker,
            digest="0" * 64,
            expires_at=timezone.now() + timedelta(days=1),
            most=LEFT,
        )
        together = Barrier(PEOPLE)

        waits: dict[int, int] = {}

        def take(number: int) -> bool:
            wanted = counting.Wanted("version", str(number), SIZE, SIZE, 0, SIZE)
            with as_default(migrated_database):
                together.wait(timeout=60)
                try:
                    mine = counting.reserve(link.pk, wanted)
                except counting.AllReserved as busy:
                    mine, waits[number] = None, busy.wait
                together.wait(timeout=60)
                if mine is not None:
                    mine.end(SIZE, SIZE)
                return mine is not None

        with ThreadPoolExecutor(PEOPLE) as pool:
            assert sum(pool.map(take, range(PEOPLE))) == LEFT
        longest = counting.idle_time().total_seconds() + 1
        assert len(waits) == PEOPLE - LEFT
        assert all(0 < wait <= longest for wait in waits.values())
        link.refresh_from_db()
        assert (link.used, link.state) == (LEFT, "exhausted")
        assert link.charged == LEFT * SIZE
        assert LinkDownload.objects.filter(running__gt=0).count() == 0
        assert AuditEvent.objects.filter(event="link_exhausted").count() == 1
