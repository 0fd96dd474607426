"""What ends soon and what begins now: each grant once. Who is told is in `test_sources`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from files.models import Grant
from files.sharing import ending
from notices import Kind
from notices.models import Notice
from tests.files.conftest import give
from tests.files.test_models import filed


def test_batches_are_all_of_them_once_each(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "_BATCH", 2)
    made = [give(filed(alice), bob) for _ in range(5)]
    batches = list(ending._batches(Grant.objects.all()))
    assert batches == [made[:2], made[2:4], made[4:]]


def test_all_that_end_within_three_days_are_told_and_none_later(alice: User, bob: User) -> None:
    now = timezone.now()
    days = (-1, 1, 2, 3, 4)
    grants = [give(filed(alice), bob, expires_at=now + timedelta(days=n)) for n in days]
    give(filed(alice), bob)
    assert ending.tell_ends(now) == 3
    told = Notice.objects.filter(kind=Kind.GRANT_ENDS).order_by("pk")
    assert [one.file_id for one in told] == [one.file_id for one in grants[1:4]]


def test_what_began_long_ago_is_not_told_as_new(alice: User, bob: User) -> None:
    now = timezone.now()
    step = timedelta(microseconds=1)
    begins = [now - ending.BEGUN, now - ending.BEGUN + step, now, now + step]
    grants = [give(filed(alice), bob, starts_at=moment) for moment in begins]
    Grant.objects.update(created_at=now - timedelta(days=9))
    assert ending.tell_begun(now) == 2
    told = Notice.objects.filter(kind=Kind.SHARED_WITH_YOU).order_by("pk")
    assert [one.file_id for one in told] == [one.file_id for one in grants[1:3]]
