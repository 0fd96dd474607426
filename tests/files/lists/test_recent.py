"""What a person had to do with lately, and that it is remembered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from files.access.principals import Person
from files.lists import recent
from files.models import FileRecord, Grant, RecentFile
from files.sharing import granting
from files.vault import recent as remembered
from tests.files.conftest import CONTENT, Store
from tests.files.lists.pages import every_page
from tests.files.test_models import placed

NOW = timezone.now()


def listed(user: User, length: int = 50, *, down: bool = True) -> list[tuple[str, str]]:
    who = Person(user)
    found = every_page(
        lambda cursor: recent.page_of(who, down=down, cursor=cursor, length=length), at_most=30
    )
    return [(row.item.name, row.note) for page in found for row in page.rows]


def test_what_one_adds_opens_and_is_given_is_remembered_once(
    client: Client, alice: User, bob: User, store: Store
) -> None:
    one, two = store(alice, name="one"), store(alice, name="two")
    assert listed(alice) == [("two", "added"), ("one", "added")]
    granting.grant(Grant(file=one, user=bob), actor=alice)
    granting.grant_many(
        [two], [bob], level="download", starts_at=None, expires_at=None, reason="", actor=alice
    )
    assert listed(bob) == [("two", "given to you"), ("one", "given to you")]
    client.force_login(bob)
    response = client.get(f"/files/{one.pk}/download/")
    assert b"".join(response.streaming_content) == CONTENT  # type: ignore[attr-defined]
    assert listed(bob) == [("one", "opened"), ("two", "given to you")]
    assert RecentFile.objects.filter(user=bob).count() == 2
    assert listed(alice) == [("two", "added"), ("one", "added")]


def test_what_a_group_is_given_is_nobodys_own(alice: User, bob: User) -> None:
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    granting.grant(Grant(file=placed(alice), group=team), actor=alice)
    assert listed(bob) == []


def test_what_one_may_no_longer_see_is_left_out(
    alice: User, bob: User, give: Callable[..., Grant]
) -> None:
    record = placed(alice)
    given = give(record, bob)
    remembered.note(bob.pk, [record.pk], RecentFile.Way.OPENED)
    assert listed(bob) == [("a.txt", "opened")]
    Grant.objects.filter(pk=given.pk).update(revoked_at=NOW)
    assert listed(bob) == []
    assert recent.page_of(Person(AnonymousUser()), length=5).rows == []


@pytest.mark.parametrize("length", [1, 2, 50])
def test_pages_follow_each_other_either_way(alice: User, length: int) -> None:
    for number in range(5):
        record = placed(alice, name=str(number))
        remembered.note(alice.pk, [record.pk], RecentFile.Way.ADDED)
        RecentFile.objects.filter(file=record).update(at=NOW - timedelta(minutes=number // 2))
    # Of the same moment the one that was noted later.
    names = [name for name, _ in listed(alice, length)]
    assert names == ["1", "0", "3", "2", "4"]
    assert [name for name, _ in listed(alice, length, down=False)] == names[::-1]


def test_that_it_cannot_be_remembered_fails_no_download(
    client: Client, record: FileRecord, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise DatabaseError("no")

    monkeypatch.setattr(remembered, "note", fails)
    client.force_login(alice)
    response = client.get(f"/files/{record.pk}/download/")
    assert b"".join(response.streaming_content) == CONTENT  # type: ignore[attr-defined]


def test_a_file_that_goes_is_forgotten(alice: User) -> None:
    record = placed(alice)
    remembered.note(alice.pk, [record.pk], RecentFile.Way.ADDED)
    FileRecord.objects.filter(pk=record.pk).delete()
    assert not RecentFile.objects.exists()
