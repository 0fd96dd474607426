"""The trash: what is put away sleeps with all that is below it, and comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from files.access.explaining import access_of
from files.access.principals import Person
from files.access.rule import trashed_folders_of, visible_to
from files.errors import ItemGone
from files.folders import making, moving, trash
from files.models import Entry, FileRecord, Folder, Usage
from files.tree import placing
from tests.files.conftest import give
from tests.files.folders.test_moving import file, folder
from tests.files.test_models import filed

pytestmark = pytest.mark.django_db


def put_away(item: Any, by: User) -> bool:
    return trash.put_away(item, by=Person(by), actor=by)


def restore(item: Any, by: User) -> trash.Restored:
    found = type(item).objects.select_related("owner").get(pk=item.pk)
    return trash.restore(found, by=Person(by), actor=by)


def test_a_tree_is_put_away_in_one_step_and_counts_on(
    alice: User, bob: User, events: Any, django_assert_max_num_queries: Any
) -> None:
    case = folder(alice, "case")
    items = [file(folder(case, f"f{n}"), size=3) for n in range(5)]
    give(case, bob, level="manage")
    with django_assert_max_num_queries(16):
        assert put_away(case, bob)
    for who in (alice, bob):
        assert not visible_to(Person(who)).exists()
        assert access_of(Person(who), items[0]) is None
    assert Usage.objects.get(pk=alice.pk).bytes == 15
    found = Folder.objects.get(pk=case.pk)
    assert found.trashed_at is not None
    assert found.trashed_by == bob
    [event] = events("put_away")
    assert (event["folder_id"], event["actor"]) == (str(case.pk), "bob")
    assert not put_away(case, alice)


def test_its_name_is_free_meanwhile_and_it_comes_back_beside_the_new_one(
    alice: User, bob: User
) -> None:
    case = folder(alice, "case")
    item = file(case)
    give(case, bob)
    put_away(case, alice)
    folder(alice, "Case")
    restored = restore(case, alice)
    assert (restored.name, restored.moved) == ("case (2)", False)
    assert list(visible_to(Person(bob))) == [item]


def test_what_was_put_away_before_stays_when_its_folder_returns(alice: User) -> None:
    case = folder(alice, "case")
    old, inner = file(case), folder(case, "inner")
    put_away(old, alice)
    date = FileRecord.objects.get(pk=old.pk).trashed_at
    put_away(case, alice)
    restore(case, alice)
    assert FileRecord.objects.get(pk=old.pk).trashed_at == date
    assert Folder.objects.get(pk=inner.pk).trashed_at is None
    assert restore(old, alice).folder == case


def test_what_has_no_folder_to_return_to_goes_to_the_root_and_says_so(alice: User) -> None:
    case = folder(alice, "case")
    inner = folder(case, "inner")
    deep = folder(inner, "deep")
    put_away(inner, alice)
    put_away(case, alice)
    restored = restore(inner, alice)
    assert (restored.folder, restored.moved) == (placing.root_of(alice), True)
    assert placing.path_of(deep) == [placing.root_of(alice), inner, deep]


def test_one_takes_back_what_one_added_for_as_long_as_one_may_add(alice: User, bob: User) -> None:
    team = Group.objects.create(name="team")
    bob.groups.add(team)
    case = folder(alice, "case")
    give(case, team, level="add")
    own = filed(alice, name="own", folder=case, uploaded_by=bob)
    placing.enter(own, case)
    others = file(case, "others", uploaded_by=alice)
    with pytest.raises(ItemGone):
        put_away(others, bob)
    assert put_away(own, bob)
    assert restore(own, bob).folder == case
    bob.groups.remove(team)
    with pytest.raises(ItemGone):
        put_away(own, bob)


def test_a_folder_that_one_added_is_ones_own_until_another_adds_to_it(
    alice: User, bob: User
) -> None:
    case = folder(alice, "case")
    give(case, bob, level="add")
    mine = making.create_folder(case, "mine", by=Person(bob), actor=bob)
    own = filed(alice, name="own", folder=mine, uploaded_by=bob)
    placing.enter(own, mine)
    placing.enter(filed(alice, name="hers", folder=mine, uploaded_by=alice), mine)
    with pytest.raises(ItemGone):
        put_away(mine, bob)
    FileRecord.objects.filter(name="hers").update(uploaded_by=bob)
    assert put_away(mine, bob)


def test_a_manager_brings_back_what_was_in_the_folder_and_not_the_folder_itself(
    alice: User, bob: User
) -> None:
    case = folder(alice, "case")
    item = file(case)
    give(case, bob, level="manage")
    put_away(item, alice)
    assert restore(item, bob).folder == case
    put_away(case, alice)
    # The grant sleeps with the folder that it is on.
    assert not trashed_folders_of(Person(bob)).exists()
    with pytest.raises(ItemGone):
        restore(case, bob)


def test_nobody_puts_a_root_away(alice: User) -> None:
    with pytest.raises(ItemGone):
        put_away(placing.root_of(alice), alice)


def test_what_was_never_put_away_is_not_brought_back(alice: User, record: FileRecord) -> None:
    with pytest.raises(ItemGone):
        restore(record, alice)


def test_what_moved_away_beside_it_is_not_put_away_by_its_former_manager(
    alice: User, bob: User
) -> None:
    case, elsewhere = folder(alice, "case"), folder(alice, "elsewhere")
    item = file(case)
    give(case, bob, level="manage")
    moving.move(item, elsewhere, by=Person(alice), actor=alice)
    with pytest.raises(ItemGone):
        put_away(item, bob)


def test_every_awake_thing_has_its_entry_and_no_sleeping_root_has(alice: User) -> None:
    case = folder(alice, "case")
    item = file(case)
    put_away(case, alice)
    assert not Entry.objects.filter(folder=case).exists()
    assert Entry.objects.get(file=item).parent == case
