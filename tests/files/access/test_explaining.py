"""Why somebody may: told by the widest and longest grant, and by no more than the rule gives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import User
from files.access.explaining import access_of
from files.access.principals import Person
from files.lists import paging
from files.models import Grant
from tests.files import trees
from tests.files.test_models import filed


def test_access_is_explained_by_the_widest_and_longest_grant(alice: User, bob: User) -> None:
    record = filed(alice)
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    soon, later = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)
    Grant.objects.create(file=record, user=bob, expires_at=soon)
    longest = Grant.objects.create(file=record, user=bob, expires_at=later)
    access = access_of(Person(bob), record)
    assert access
    assert (access.level, access.until, access.grant_id) == ("download", later, longest.pk)
    endless = Grant.objects.create(file=record, user=bob)
    access = access_of(Person(bob), record)
    assert access
    assert (access.until, access.via, access.grant_id) == (None, "", endless.pk)
    Grant.objects.create(file=record, group=team, level="manage", expires_at=soon)
    access = access_of(Person(bob), record)
    assert access
    assert (access.level, access.until, access.via) == ("manage", soon, "group \u201cTeam\u201d")


@pytest.mark.parametrize(
    ("level", "may_add"), [("download", False), ("add", True), ("manage", True)]
)
def test_who_may_add_to_a_folder_owns_it_or_was_given_to(
    alice: User, bob: User, level: str, may_add: bool
) -> None:
    case = trees.folder(alice, "Case")
    Grant.objects.create(folder=case, user=bob, level=level)
    [own, given] = [access_of(Person(user), case) for user in (alice, bob)]
    assert own
    assert own.may_add
    assert given
    assert given.may_add is may_add


def test_grants_to_more_groups_than_are_merged_count_too(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("files.lists.paging.MERGED_GROUPS", 1)
    records = []
    for number in range(4):
        group = Group.objects.create(name=f"Team {number}")
        bob.groups.add(group)
        records.append(filed(alice))
        Grant.objects.create(file=records[-1], group=group)
    places = [record.place for record in reversed(records)]
    assert list(paging.newest_places(bob, at_most=9)) == places
