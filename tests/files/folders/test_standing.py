"""What a use case is about, as it stands once its tree is locked."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import QuerySet

from accounts.models import User
from files.access.principals import Person, Principal
from files.errors import ItemGone
from files.folders import making, moving, ownership, trash
from files.folders.standing import as_it_stands
from files.models import FileRecord, Folder, Item
from files.tree import placing
from tests.files.conftest import give
from tests.files.folders.test_moving import file, folder

pytestmark = pytest.mark.django_db


def all_files(_: Principal) -> QuerySet[FileRecord]:
    return FileRecord.objects.all()


def all_folders(_: Principal) -> QuerySet[Folder]:
    return Folder.objects.all()


def no_files(_: Principal) -> QuerySet[FileRecord]:
    return FileRecord.objects.none()


def no_folders(_: Principal) -> QuerySet[Folder]:
    return Folder.objects.none()


def found(item: Item) -> Item | None:
    return as_it_stands(item, Person(item.owner), files=all_files, folders=all_folders)


def test_it_is_the_row_of_now_with_what_it_stands_in(alice: User) -> None:
    case = folder(alice, "case")
    for item in (file(case), folder(case, "inner")):
        type(item)._default_manager.filter(pk=item.pk).update(name="of now")
        now = found(item)
        assert now is not None
        assert (now.name, now.container, now.owner) == ("of now", case, alice)


def test_what_is_not_among_them_is_none(alice: User) -> None:
    item = file(folder(alice, "case"))
    assert as_it_stands(item, Person(alice), files=all_files, folders=no_folders) == item
    assert as_it_stands(item, Person(alice), files=no_files, folders=all_folders) is None


@pytest.mark.parametrize("what", ["rename", "move", "put_away"])
def test_nobody_changes_what_was_handed_over_meanwhile(
    alice: User, bob: User, mallory: User, what: str
) -> None:
    """Its tree is not the one that was locked, whoever may still do so by a grant."""
    case = folder(alice, "case")
    item = folder(case, "item")
    give(item, mallory, level="manage")
    by: dict[str, Any] = {"by": Person(mallory), "actor": mallory}
    ownership.transfer_tree(Folder.objects.get(pk=item.pk), to=bob, actor=bob)
    with pytest.raises(ItemGone):
        if what == "rename":
            making.rename(item, "new", **by)
        elif what == "move":
            moving.move(item, placing.root_of(alice), **by)
        else:
            trash.put_away(item, **by)
    assert Folder.objects.get(pk=item.pk).trashed_at is None
