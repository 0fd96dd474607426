"""Moves: who takes what out of which tree, and what a move never touches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import User
from files.access.principals import Person
from files.access.rule import visible_to
from files.errors import (
    IntoItself,
    ItemGone,
    MayNotAdd,
    MayNotMove,
    NameTaken,
    NoSuchFolder,
    QuotaExceeded,
    TooDeep,
)
from files.folders import making, moving, trash
from files.models import FileRecord, Folder, Grant, StoredObject, Usage
from files.models.folders import DEEPEST
from files.tree import placing
from tests.files.conftest import give
from tests.files.test_models import filed

pytestmark = pytest.mark.django_db


def folder(parent: Folder | User, name: str) -> Folder:
    above = placing.root_of(parent) if isinstance(parent, User) else parent
    return placing.add_folder(above, name, added_by=above.owner)


def file(parent: Folder, name: str = "a.txt", **fields: Any) -> FileRecord:
    record = filed(parent.owner, name=name, folder=parent, **fields)
    placing.enter(record, parent)
    return record


def move(item: Any, target: Folder, by: User, **fields: Any) -> moving.Moved:
    return moving.move(item, target, by=Person(by), actor=by, **fields)


def test_a_move_touches_neither_key_nor_byte(alice: User, record: FileRecord, events: Any) -> None:
    case = folder(alice, "Case")
    objects = list(StoredObject.objects.values())
    moved = move(record, case, alice)
    assert (moved.folder, moved.name, moved.changed_hands) == (case, "fox.txt", False)
    assert list(StoredObject.objects.values()) == objects
    found = FileRecord.objects.get(pk=record.pk)
    assert (found.folder, found.version) == (case, record.version)
    [event] = events("moved")
    assert (event["file_id"], event["to_id"]) == (record.pk, str(case.pk))


def test_a_name_that_is_taken_is_the_movers_choice(alice: User) -> None:
    source, target = folder(alice, "one"), folder(alice, "two")
    item = file(source, "Fox.txt")
    file(target, "fox.txt")
    with pytest.raises(NameTaken):
        move(item, target, alice)
    assert FileRecord.objects.get(pk=item.pk).folder == source
    assert move(item, target, alice, rename=True).name == "Fox (2).txt"


def test_a_folder_never_goes_into_itself_nor_too_deep(alice: User) -> None:
    outer = folder(alice, "outer")
    inner = folder(outer, "inner")
    for target in (outer, inner):
        with pytest.raises(IntoItself):
            move(outer, target, alice)
    deepest = placing.root_of(alice)
    for number in range(DEEPEST - 1):
        deepest = folder(deepest, f"d{number}")
    with pytest.raises(TooDeep, match="32"):
        move(outer, deepest, alice)
    assert move(inner, deepest, alice).folder == deepest


def test_a_manager_moves_within_the_folder_that_the_grant_is_on(alice: User, bob: User) -> None:
    case, elsewhere = folder(alice, "case"), folder(alice, "elsewhere")
    one, two = folder(case, "one"), folder(case, "two")
    item = file(one)
    give(case, bob, level="manage")
    assert move(item, two, bob).folder == two
    assert move(item, case, bob).folder == case
    assert move(two, one, bob).folder == one
    for target in (elsewhere, placing.root_of(alice), folder(bob, "mine"), placing.root_of(bob)):
        with pytest.raises(MayNotMove):
            move(item, target, bob)
    # Not the folder itself: that would take it out of what the grant is on.
    with pytest.raises(MayNotMove):
        move(case, elsewhere, bob)


def test_two_grants_are_not_one(alice: User, bob: User) -> None:
    one, two = folder(alice, "one"), folder(alice, "two")
    item = file(one)
    give(one, bob, level="manage")
    give(two, bob, level="manage")
    with pytest.raises(MayNotMove):
        move(item, two, bob)


def test_a_manager_whose_grant_has_ended_moves_nothing(alice: User, bob: User) -> None:
    case = folder(alice, "case")
    inner, item = folder(case, "inner"), file(case)
    grant = give(case, bob, level="manage", expires_at=timezone.now() + timedelta(days=1))
    assert move(item, inner, bob).folder == inner
    Grant.objects.filter(pk=grant.pk).update(expires_at=timezone.now())
    with pytest.raises(ItemGone):
        move(item, case, bob)


def test_a_member_moves_nothing_to_themselves(alice: User, bob: User) -> None:
    team = Group.objects.create(name="team")
    bob.groups.add(team)
    case = folder(alice, "case")
    item = file(case)
    for level in ("download", "add", "manage"):
        give(case, team, level=level)
        with pytest.raises(MayNotMove):
            move(item, placing.root_of(bob), bob)
    assert FileRecord.objects.get(pk=item.pk).owner == alice


def test_what_changes_hands_is_a_transfer(alice: User, bob: User, events: Any) -> None:
    gift = folder(alice, "gift")
    item = file(folder(gift, "inner"), size=7)
    inbox = folder(bob, "inbox")
    with pytest.raises(MayNotAdd):
        move(gift, inbox, alice)
    give(inbox, alice, level="add")
    assert moving.changes_hands(gift, inbox)
    assert move(gift, inbox, alice).changed_hands
    assert FileRecord.objects.get(pk=item.pk).owner == bob
    [event] = events("ownership_transferred")
    assert (event["from_user_id"], event["to_user_id"]) == (alice.pk, bob.pk)
    assert (event["files"], event["folders"], event["size"]) == (1, 2, 7)
    assert dict(Usage.objects.values_list("owner_id", "bytes")) == {alice.pk: 0, bob.pk: 7}
    # It was given: to add is not to take back.
    gift.owner = bob
    with pytest.raises(MayNotMove):
        move(gift, placing.root_of(alice), alice)


def test_what_does_not_fit_into_the_new_owners_quota_stays(alice: User, bob: User) -> None:
    bob.quota = 10
    bob.save()
    inbox = folder(bob, "inbox")
    give(inbox, alice, level="add")
    gift = folder(alice, "gift")
    file(gift, "a", size=6)
    file(gift, "b", size=5)
    with pytest.raises(QuotaExceeded, match="takes 11 bytes, and 10 are left"):
        move(gift, inbox, alice)
    assert not Folder.objects.filter(owner=bob, name="gift").exists()


def test_grants_below_and_above_follow_the_tree(alice: User, bob: User, mallory: User) -> None:
    one, two = folder(alice, "one"), folder(alice, "two")
    inner = folder(one, "inner")
    item = file(inner)
    give(one, bob)
    give(inner, mallory)
    move(inner, two, alice)
    assert not visible_to(Person(bob)).exists()
    assert list(visible_to(Person(mallory))) == [item]


def test_neither_end_may_sleep(alice: User) -> None:
    one, two = folder(alice, "one"), folder(alice, "two")
    item = file(one)
    trash.put_away(two, by=Person(alice), actor=alice)
    with pytest.raises(NoSuchFolder):
        move(item, two, alice)
    trash.put_away(one, by=Person(alice), actor=alice)
    with pytest.raises(ItemGone):
        move(item, placing.root_of(alice), alice)


def test_nobody_moves_a_root(alice: User, bob: User) -> None:
    inbox = folder(bob, "inbox")
    give(inbox, alice, level="add")
    with pytest.raises(ItemGone):
        move(placing.root_of(alice), inbox, alice)


def test_a_folder_that_is_renamed_beside_it_moves_under_its_new_name(alice: User) -> None:
    stale, target = folder(alice, "old"), folder(alice, "target")
    making.rename(Folder.objects.get(pk=stale.pk), "new", by=Person(alice), actor=alice)
    assert move(stale, target, alice).name == "new"


def test_hands_change_where_the_owner_does_whichever_came_first(alice: User, bob: User) -> None:
    for one, other in ((alice, bob), (bob, alice)):
        item = folder(placing.root_of(one), "Case")
        assert moving.changes_hands(item, placing.root_of(other))
        assert not moving.changes_hands(item, placing.root_of(one))


def test_a_move_to_where_it_is_is_none(alice: User, events: Any) -> None:
    case = folder(alice, "Case")
    record = file(case, "a")
    moved = move(record, case, alice)
    assert (moved.folder, moved.name, moved.changed_hands) == (case, "a", False)
    assert events("moved") == []
    assert FileRecord.objects.get(pk=record.pk).updated_at == record.updated_at


def test_who_takes_a_file_over_themselves_is_told_of_so(
    alice: User, bob: User, events: Any
) -> None:
    record = filed(alice)
    moving.record_transfer(record, alice, bob, alice)
    moving.record_transfer(record, bob, alice, bob)
    assert events("self_granted") == []
    moving.record_transfer(record, alice, bob, bob)
    [event] = events("self_granted")
    assert (event["actor"], event["file_id"], event["level"]) == ("bob", record.pk, "owner")
