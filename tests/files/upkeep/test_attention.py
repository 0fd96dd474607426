"""What needs attention is found, and by few queries that read no table through."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import audit
from accounts.models import Invitation, User
from audit.models import LastRun
from files.crypto.fernetkey import generate_master_key
from files.keys.master_keys import keyring
from files.models import Grant, MasterKey, StoredObject
from files.upkeep import attention
from tests.files.conftest import UseKeys, give
from tests.files.test_models import filed

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def ran(name: str, ago: timedelta, outcome: str = "complete", **figures: Any) -> None:
    at = timezone.now() - ago
    LastRun.objects.create(
        name=name,
        started_at=at,
        succeeded_at=at if outcome == "complete" else None,
        outcome=outcome,
        figures=figures,
    )


def test_nothing_needs_attention_where_all_is_well(alice: User, now: datetime) -> None:
    give(filed(alice), alice, expires_at=now + timedelta(days=8))
    assert (attention.damaged(), attention.ending(now), attention.unused_invitations()) == (0, 0, 0)
    assert attention.locked_out(now) == []
    assert attention.unfinished_rotation(None) == ()
    for name in attention.WATCHED:
        ran(name, timedelta(hours=1))
    assert not any(one.needs_attention for one in attention.runs(now).work)


def test_damaged_versions_are_counted_former_ones_too(alice: User) -> None:
    for state in ("damaged", "kept_bad", "live"):
        record = filed(alice)
        StoredObject.objects.filter(pk=record.current_id).update(state=state)
    assert attention.damaged() == 2


def test_shares_that_count_and_end_soon(alice: User, bob: User, now: datetime) -> None:
    record, day = filed(alice), timedelta(days=1)
    for fields in (
        {"expires_at": now + 6 * day},
        {"expires_at": now + 8 * day},
        {"expires_at": now - day},
        {"expires_at": now + day, "revoked_at": now},
        {"starts_at": now + day, "expires_at": now + 2 * day},
        {},
    ):
        give(record, bob, **fields)
    assert attention.ending(now) == 1


def test_shares_that_end_soon_are_found_by_an_index(now: datetime) -> None:
    plan = Grant.objects.ending(now, within=attention.ENDING).explain()
    assert "grant_ending" in plan or connection.vendor == "postgresql"  # There by its statistics.


def test_who_was_locked_out_lately_is_named_once(bob: User, now: datetime) -> None:
    for _ in range(2):
        audit.record(audit.Event.LOCKED_OUT, user_id=bob.pk, username="bob")
    audit.record(audit.Event.LOCKED_OUT)  # Of nobody, and from nowhere: nothing to say.
    assert attention.locked_out(now) == ["bob"]
    assert attention.locked_out(now + attention.LOCKED_OUT_FOR + timedelta(minutes=1)) == []


def test_invitations_that_nobody_used(root: User, now: datetime) -> None:
    for number, fields in enumerate(({}, {"accepted_at": now}, {"revoked_at": now})):
        Invitation.objects.create(
            email=f"{number}@example.org",
            token_hash=str(number),
            invited_by=root,
            sent_at=now,
            expires_at=now,
            **fields,
        )
    assert attention.unused_invitations() == 1


@pytest.mark.parametrize(
    ("ago", "outcome", "late", "failed"),
    [
        (timedelta(hours=47), "complete", False, False),
        (timedelta(hours=49), "complete", True, False),
        (timedelta(hours=1), "failed", True, True),
        (timedelta(hours=1), "running", False, False),
        (timedelta(hours=49), "running", True, False),
    ],
)
def test_work_is_late_or_failed(
    now: datetime, ago: timedelta, outcome: str, late: bool, failed: bool
) -> None:
    ran("backup", ago, outcome)
    work = {one.name: one for one in attention.runs(now).work}["backup"]
    assert (work.late, work.failed) == (late, failed)


def test_work_that_was_never_done_is_late(now: datetime) -> None:
    assert {one.name for one in attention.runs(now).work if one.late} == set(attention.WATCHED)


def test_a_rotation_is_unfinished_until_a_run_found_nothing_left(
    use_keys: UseKeys, now: datetime
) -> None:
    old, new = generate_master_key(), generate_master_key()
    use_keys(str(new), str(old))
    (unfinished,) = attention.unfinished_rotation(None)
    primary = keyring().primary_id
    assert unfinished != primary
    unsettled: tuple[dict[str, Any], ...] = (
        {},
        {"left": 3, "primary": primary},
        {"left": 0, "primary": unfinished},
    )
    for figures in unsettled:
        LastRun.objects.all().delete()
        ran("rotate_master_key", timedelta(), **figures)
        assert attention.unfinished_rotation(attention.runs(now).rotation) == [unfinished]
    LastRun.objects.all().delete()
    ran("rotate_master_key", timedelta(), left=0, primary=primary)
    assert attention.unfinished_rotation(attention.runs(now).rotation) == ()
    MasterKey.objects.create(key_id=unfinished, retired_at=now)
    assert attention.unfinished_rotation(None) == []


def test_each_question_is_one_query(now: datetime, alice: User) -> None:
    give(filed(alice), alice, expires_at=now + timedelta(days=1))
    for ask in (
        attention.damaged,
        attention.unused_invitations,
        lambda: attention.ending(now),
        lambda: attention.locked_out(now),
        lambda: attention.runs(now),
    ):
        with CaptureQueriesContext(connection) as captured:
            ask()
        assert len(captured) == 1
