"""The trash: putting files and folders away, bringing them back.

What is put away carries the mark itself, and all that is below it sleeps with it: one row changes,
whatever is in it. Its name is free meanwhile. It counts in the quota. Deleting for good is
`files.folders.purging`.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit import Event
from files.access.principals import Principal
from files.access.rule import (
    folders_removable_by,
    removable_by,
    trashed_files_of,
    trashed_folders_of,
)
from files.errors import ItemGone
from files.folders.events import note
from files.folders.standing import as_it_stands
from files.models import Folder, Item
from files.tree import placing


@dataclass(frozen=True, slots=True)
class Restored:
    """Where it is now, under which name; `moved` where that is not where it was."""

    folder: Folder
    name: str
    moved: bool


def put_away(item: Item, *, by: Principal, actor: User) -> bool:
    """Put a file or a folder into the trash. False where somebody else was faster.

    Raises ItemGone where it is not the principal's to put away, or gone.
    """
    with transaction.atomic():
        placing.lock_tree(item.owner)
        found = as_it_stands(item, by, files=removable_by, folders=folders_removable_by)
        if found is None:
            if type(item).objects.filter(pk=item.pk, trashed_at=None).exists():
                raise ItemGone
            return False
        placing.leave(found)
        type(found).objects.filter(pk=found.pk).update(trashed_at=timezone.now(), trashed_by=actor)
        note(Event.PUT_AWAY, found, actor=actor)
    return True


def restore(item: Item, *, by: Principal, actor: User) -> Restored:
    """Bring back what was put away, to where it was; or to the owner's root where that is gone.

    A name that is taken by now gets a number. Raises ItemGone where it is not the principal's
    to bring back, or was brought back or deleted meanwhile; TooDeep.
    """
    with transaction.atomic():
        placing.lock_tree(item.owner)
        found = as_it_stands(item, by, files=trashed_files_of, folders=trashed_folders_of)
        if found is None:
            raise ItemGone
        parent = found.container
        moved = parent is None or placing.is_asleep(parent)
        if parent is None or moved:
            parent = placing.root_of(found.owner)
        name = placing.free_name(parent, found.name)
        placing.put(found, parent, name, trashed_at=None, trashed_by=None)
        note(Event.RESTORED, found, actor=actor, to_id=str(parent.pk))
    item.name, item.trashed_at = name, None
    return Restored(parent, name, moved)
