"""Handing files over: all of them or none, within the quota, and on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.folders.ownership import NotTransferred, transfer
from files.models import FileRecord
from tests.files.conftest import give
from tests.files.test_models import filed

Events = Callable[[str], list[dict[str, Any]]]


def test_the_new_owner_has_it_and_the_old_one_has_not(
    alice: User, bob: User, mallory: User, root: User, events: Events
) -> None:
    records = [filed(alice), filed(alice), filed(bob)]
    give(records[0], mallory)
    assert transfer(records, to=bob, actor=root) == 2
    assert set(rule.managed_by(Person(bob))) == set(records)
    assert not rule.visible_to(Person(alice)).exists()
    assert list(rule.visible_to(Person(mallory))) == [records[0]]
    details = {"actor": "root", "from_user_id": alice.pk, "to_user_id": bob.pk}
    assert sorted(events("ownership_transferred"), key=lambda one: str(one["file_id"])) == [
        {"file_id": pk, **details} for pk in sorted((one.pk for one in records[:2]), key=str)
    ]
    assert events("self_granted") == []


def test_who_takes_a_file_over_themselves_is_recorded_as_letting_themselves_in(
    alice: User, root: User, events: Events
) -> None:
    record = filed(alice)
    transfer([record], to=root, actor=root)
    assert [one["file_id"] for one in events("self_granted")] == [record.pk]


def test_who_gives_a_file_to_somebody_else_lets_nobody_in_themselves(
    alice: User, bob: User, root: User, events: Events
) -> None:
    """Whichever of the two accounts was made first."""
    for actor, to in ((bob, root), (root, bob)):
        transfer([filed(alice)], to=to, actor=actor)
    assert events("self_granted") == []


def test_nothing_goes_to_a_deactivated_account(alice: User, bob: User, root: User) -> None:
    record = filed(alice)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with pytest.raises(NotTransferred, match="bob is deactivated: choose an active account"):
        transfer([record], to=bob, actor=root)
    record.refresh_from_db()
    assert record.owner == alice


@pytest.mark.parametrize("own", [True, False])
def test_all_of_it_fits_into_the_quota_or_nothing_is_moved(
    alice: User, bob: User, root: User, settings: Settings, events: Events, own: bool
) -> None:
    settings.USER_QUOTA = None if own else 10
    User.objects.filter(pk=bob.pk).update(quota=10 if own else None)
    filed(bob, size=4)
    records = [filed(alice, size=3), filed(alice, size=4)]
    with pytest.raises(NotTransferred, match="take 7 bytes, and the quota of bob leaves 6"):
        transfer(records, to=bob, actor=root)
    assert FileRecord.objects.filter(owner=alice).count() == 2
    assert events("ownership_transferred") == []
    assert transfer(records[:1], to=bob, actor=root) == 1


def test_the_largest_upload_does_not_limit_what_many_files_take(
    alice: User, bob: User, root: User, settings: Settings
) -> None:
    settings.MAX_UPLOAD_SIZE = 5
    assert transfer([filed(alice, size=4), filed(alice, size=4)], to=bob, actor=root) == 2


def test_a_file_that_is_gone_is_not_counted(alice: User, bob: User, root: User) -> None:
    record = filed(alice)
    FileRecord.objects.filter(pk=record.pk).delete()
    assert transfer([record], to=bob, actor=root) == 0
