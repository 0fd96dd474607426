"""The database's clock: one for all hosts, and comparable with what Python writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from files import clock
from files.models import StoredObject
from tests.securestore.test_health import stored_object

NEAR = timedelta(seconds=5)


def test_it_is_now_and_not_this_processs_clock(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: real + timedelta(days=300))
    assert abs(clock.now() - real) < NEAR
    row = stored_object("local:0123456789abcdef")
    StoredObject.objects.update(lease_seen_at=clock.Now())
    row.refresh_from_db()
    assert row.lease_seen_at is not None
    assert abs(row.lease_seen_at - real) < NEAR


def test_what_it_wrote_is_found_by_what_was_read(db: None) -> None:
    """A compare-and-set compares text in SQLite, to the last digit."""
    row = stored_object("local:0123456789abcdef")
    for _ in range(50):
        StoredObject.objects.update(lease_seen_at=clock.Now())
        row.refresh_from_db()
        assert StoredObject.objects.filter(lease_seen_at=row.lease_seen_at).exists()
        assert not StoredObject.objects.filter(lease_seen_at__lt=row.lease_seen_at).exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's text")
@pytest.mark.parametrize("micros", ["000000", "120000", "001000"])
def test_its_text_is_that_of_python(db: None, micros: str) -> None:
    """A whole second has no digits after it there, and would have six here."""
    moment = datetime(2026, 11, 29, 17, 40, 53, int(micros), tzinfo=UTC)
    with connection.cursor() as cursor:
        sql, parameters = clock.Now().as_sqlite(None, connection)  # type: ignore[arg-type]
        at = f"'2026-11-29 17:40:53.{micros[:3]}'"
        cursor.execute(f"SELECT {sql.replace(chr(39) + 'now' + chr(39), at)}", parameters)
        [text] = cursor.fetchone()
    assert text == str(moment.replace(tzinfo=None))
