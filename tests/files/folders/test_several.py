"""Several at once: all of them or none, each with its event, in an order that works."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from files.access.principals import Person
from files.errors import ItemGone, NameTaken
from files.folders import several, trash
from files.models import FileRecord, Folder, Item
from tests.files.conftest import give
from tests.files.folders.test_moving import file, folder

pytestmark = pytest.mark.django_db


def by(user: User) -> dict[str, Any]:
    return {"by": Person(user), "actor": user}


def again(item: Any) -> Any:
    """As it is in the database."""
    return type(item).objects.select_related("owner").get(pk=item.pk)


def nested(alice: User) -> list[Any]:
    """A folder, one in it, a file in that one, and one beside them all."""
    case = folder(alice, "case")
    inner = folder(case, "inner")
    return [case, inner, file(inner), file(folder(alice, "other"), "b.txt")]


def test_all_are_put_away_whichever_of_them_are_within_others(alice: User, events: Any) -> None:
    items = nested(alice)
    assert len(several.put_away(items, **by(alice))) == 4
    assert all(again(item).trashed_at for item in items)
    assert len(events("put_away")) == 4
    assert several.put_away(items, **by(alice)) == []


def test_what_was_put_away_together_comes_back_together_to_where_it_was(alice: User) -> None:
    items = nested(alice)
    several.put_away(items, **by(alice))
    back = several.restore([again(item) for item in items], **by(alice))
    assert [(one.moved, one.name) for one in back][:2] == [(False, "case"), (False, "inner")]
    assert not any(one.moved for one in back)
    case, inner, record, _ = map(again, items)
    assert (inner.parent_id, record.folder_id, case.trashed_at) == (case.pk, inner.pk, None)


def test_where_one_is_refused_nothing_is_done(alice: User, bob: User, events: Any) -> None:
    mine, theirs = file(folder(alice, "mine")), file(folder(bob, "theirs"))
    give(theirs, alice)
    with pytest.raises(several.NotAll) as refused:
        several.put_away([mine, theirs], **by(alice))
    assert refused.value.item == theirs
    assert isinstance(refused.value.why, ItemGone)
    assert again(mine).trashed_at is None
    assert not events("put_away")


def test_all_are_moved_or_none(alice: User, events: Any) -> None:
    case, target = folder(alice, "case"), folder(alice, "target")
    items: list[Item] = [file(case), file(case, "b.txt"), folder(case, "inner")]
    file(target, "B.TXT")
    with pytest.raises(several.NotAll, match=r"^“b\.txt”: “b\.txt” exists") as refused:
        several.move(items, target, **by(alice))
    assert isinstance(refused.value.why, NameTaken)
    assert again(items[0]).container_id == case.pk
    assert not events("moved")
    moved = several.move(items, target, rename=True, **by(alice))
    assert [one.name for one in moved] == ["a.txt", "b (2).txt", "inner"]
    assert {again(item).container_id for item in items} == {target.pk}
    assert len(events("moved")) == 3


def test_what_was_deleted_by_others_meanwhile_is_no_refusal(alice: User, bob: User) -> None:
    case = folder(alice, "case")
    give(case, bob, level="manage")
    records = [file(case, f"{n}.txt") for n in range(3)]
    assert trash.put_away(records[1], **by(bob))
    assert several.put_away(records, **by(alice)) == [records[0], records[2]]
    assert FileRecord.objects.filter(trashed_at=None).count() == 0
    assert Folder.objects.filter(trashed_at__isnull=False).count() == 0
