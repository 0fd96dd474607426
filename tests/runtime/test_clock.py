"""The database's clock: one for all hosts, and comparable with what Python writes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from files.models import StoredObject
from runtime import clock
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
