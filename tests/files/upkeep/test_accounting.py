"""Whoever writes grants and owners past the vault is found: each column that says who may read."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import audit
from accounts.models import User
from files.folders import ownership
from files.models import FileRecord, Grant
from files.sharing import granting
from files.upkeep import accounting
from files.vault import removing, storing
from tests.files.conftest import CONTENT, give


@pytest.fixture
def record(alice: User, s3: object) -> FileRecord:
    return storing.store(alice, [CONTENT], name="fox.txt")


@pytest.fixture
def granted(record: FileRecord, bob: User, root: User) -> Grant:
    return granting.grant(Grant(file=record, user=bob), actor=root)


def found() -> list[str]:
    return list(accounting.differences())


def test_everything_that_use_cases_do_is_accounted_for(
    record: FileRecord, granted: Grant, alice: User, bob: User, root: User
) -> None:
    team = Group.objects.create(name="Team")
    end = timezone.now() + timedelta(days=3, microseconds=17)
    granting.grant(Grant(file=record, group=team, expires_at=end, level="manage"), actor=alice)
    granting.grant(Grant(file=record, user=bob, expires_at=end), actor=alice)
    granting.grant_many(
        [record],
        [root, team],
        level="download",
        starts_at=None,
        expires_at=end,
        reason="",
        actor=root,
    )
    granted.expires_at = end
    granting.change(granted, actor=root)
    granting.revoke(granted, actor=alice)
    granting.change(Grant.objects.get(pk=granted.pk), actor=root)
    ownership.transfer([record], to=bob, actor=root)
    ownership.transfer([record], to=alice, actor=root)
    another = storing.store(bob, [CONTENT], name="two.txt")
    granting.grant(Grant(file=another, user=alice), actor=bob)
    removing.remove(another, actor=bob)
    assert found() == []
    root.delete()  # Who granted, and who is named: rows go, events stay.
    assert found() == []


WRITES: dict[str, Callable[[Grant], Any]] = {
    "user": lambda grant: _update(grant, user=User.objects.get(username="mallory")),
    "level": lambda grant: _update(grant, level="manage"),
    "end": lambda grant: _update(grant, expires_at=timezone.now() + timedelta(days=1)),
    "start": lambda grant: _update(grant, starts_at=timezone.now() + timedelta(days=1)),
    "revoked": lambda grant: _update(grant, revoked_at=timezone.now()),
    "granted by": lambda grant: _update(grant, granted_by=User.objects.get(username="mallory")),
    "gone": lambda grant: Grant.objects.filter(pk=grant.pk).delete(),
    "another": lambda grant: give(grant.target, User.objects.get(username="mallory")),
    "another, before all others": lambda grant: give(
        grant.target, User.objects.get(username="mallory"), pk=0
    ),
    "owner": lambda grant: FileRecord.objects.update(owner=User.objects.get(username="mallory")),
}


def _update(grant: Grant, **fields: Any) -> None:
    Grant.objects.filter(pk=grant.pk).update(**fields)


@pytest.mark.parametrize("what", WRITES)
def test_what_is_written_past_the_vault_is_found(granted: Grant, mallory: User, what: str) -> None:
    assert found() == []
    WRITES[what](granted)
    (one,) = found()
    assert "no event" in one


def test_a_grant_that_was_ended_is_not_begun_again(granted: Grant, root: User) -> None:
    granting.revoke(granted, actor=root)
    Grant.objects.filter(pk=granted.pk).update(revoked_at=None)
    assert found() == [f"grant {granted.pk}: no event accounts for its revocation"]


def test_it_takes_the_same_queries_for_any_number(record: FileRecord, root: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert found() == []
        return len(seen)

    few = queries()
    for number in range(20):
        user = User.objects.create_user(f"p{number}")
        granting.grant(Grant(file=record, user=user), actor=root)
    assert queries() == few


def test_nor_for_any_number_that_went_with_their_files(alice: User, bob: User, s3: object) -> None:
    def queries_for(number: int) -> int:
        for _ in range(number):
            one = storing.store(alice, [CONTENT], name="fox.txt")
            granting.grant(Grant(file=one, user=bob), actor=alice)
            removing.remove(one, actor=alice)
        with CaptureQueriesContext(connection) as seen:
            assert found() == []
        return len(seen)

    assert queries_for(1) == queries_for(9)


def test_one_that_differs_is_not_looked_for_among_all_events(granted: Grant) -> None:
    """There is no index of grants in the log: each would be looked for among all of them."""
    _update(granted, level="manage")
    with CaptureQueriesContext(connection) as seen:
        assert len(found()) == 1
    of_one = [one["sql"] for one in seen if '"audit_auditevent"."grant_id" =' in one["sql"]]
    assert of_one
    assert all('"audit_auditevent"."id" >' in sql for sql in of_one)


def test_what_is_done_while_it_looks_is_accounted_for(
    record: FileRecord, granted: Grant, mallory: User, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the events were read: revoked and granted; the rows are read later."""
    read = accounting._told_of_grants

    def and_meanwhile(last: int) -> Any:
        told = list(read(last))
        granting.revoke(granted, actor=root)
        granting.grant(Grant(file=record, user=mallory), actor=root)
        return iter(told)

    monkeypatch.setattr(accounting, "_told_of_grants", and_meanwhile)
    assert found() == []


def test_a_log_that_tells_of_nothing_is_not_listed_row_by_row(
    record: FileRecord, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "MOST", 2)
    for _ in range(5):
        give(record, bob)
    assert len(found()) == 3
    assert found()[-1] == "and more: the first 2 were told"


def test_files_of_an_import_that_told_no_owners_are_not_blamed(record: FileRecord) -> None:
    FileRecord.objects.filter(pk=record.pk).delete()
    fresh = FileRecord(
        **{
            field.attname: getattr(record, field.attname)
            for field in FileRecord._meta.concrete_fields
        }
    )
    fresh.pk = uuid.uuid4()
    fresh.save(force_insert=True)
    assert len(found()) == 1
    audit.record(audit.Event.KEYS_IMPORTED, created=1, rewrapped=0)
    assert found() == []
