"""Making folders and naming what is in them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from accounts.models import User
from audit import Event
from files.access.principals import Principal
from files.access.rule import addable_by, folders_managed_by, managed_by
from files.access.statements import reaches
from files.errors import ItemGone, MayNotAdd, NameTaken, NotAFolder, TooDeep
from files.folders.events import note
from files.folders.standing import as_it_stands
from files.models import Folder, Item
from files.models.folders import DEEPEST
from files.records.names import clean_folder_name, clean_name, entry_key, in_one_piece
from files.tree import placing


def create_folder(parent: Folder, name: str, *, by: Principal, actor: User) -> Folder:
    """Make a folder in another one. It belongs to the owner of that one, whoever makes it.

    Raises BadName, NameTaken, TooDeep, MayNotAdd, and NoSuchFolder where the parent is gone.
    """
    name = clean_folder_name(name)
    with transaction.atomic():
        parent = placing.lock_folder(parent)
        _require_addable(parent, by)
        return _make(parent, name, actor=actor)


def make_path(parent: Folder, names: Sequence[str], *, by: Principal, actor: User) -> Folder:
    """The folder at the end of that path below `parent`; those that are missing are made.

    All of them or none, however many ask at once: a name that a folder has is that folder. Raises
    BadName, NotAFolder, TooDeep, MayNotAdd, and NoSuchFolder where the parent is gone.
    """
    if len(names) > DEEPEST:
        raise TooDeep(DEEPEST)
    names = [clean_folder_name(name) for name in names]
    _require_addable(parent, by)
    folder, missing = _follow(parent, names)
    if not missing:
        # Nobody waits for the tree: of a thousand files that come there only the first made it.
        return folder
    with transaction.atomic():
        parent = placing.lock_folder(parent)
        _require_addable(parent, by)
        folder, missing = _follow(parent, names)
        for name in missing:
            folder = _make(folder, name, actor=actor)
    return folder


def _require_addable(folder: Folder, by: Principal) -> None:
    """Raise MayNotAdd; who may add to a folder may add to all below it."""
    if not reaches(addable_by, by, folder.pk):
        raise MayNotAdd


def _follow(folder: Folder, names: Sequence[str]) -> tuple[Folder, Sequence[str]]:
    """How far that path is there: the last folder of it, and the names that are missing below.

    Raises NotAFolder.
    """
    for done, name in enumerate(names):
        entry = placing.taken(folder, name)
        if entry is None:
            return folder, names[done:]
        if entry.folder is None:
            raise NotAFolder(name)
        folder = entry.folder
    return folder, ()


def _make(parent: Folder, name: str, *, actor: User) -> Folder:
    """A folder of that clean name in one that is locked. Raises NameTaken, TooDeep."""
    folder = placing.add_folder(parent, name, added_by=actor)
    note(
        Event.FOLDER_CREATED,
        folder,
        actor=actor,
        parent_id=str(parent.pk),
        owner_id=folder.owner_id,
    )
    return folder


def rename(item: Item, name: str, *, by: Principal, actor: User) -> None:
    """Give a file or a folder another name in its folder. Raises BadName, NameTaken, ItemGone.

    What it is, its bytes and its key stay as they are.
    """
    is_folder = isinstance(item, Folder)
    name = clean_folder_name(name) if is_folder else clean_name(in_one_piece(name))
    with transaction.atomic():
        placing.lock_tree(item.owner)
        found = as_it_stands(item, by, files=managed_by, folders=folders_managed_by)
        parent = found.container if found is not None else None
        if found is None or parent is None:
            raise ItemGone
        if name == found.name:
            return
        same_key = entry_key(name) == entry_key(found.name)
        if not same_key and placing.taken(parent, name) is not None:
            raise NameTaken(name)
        placing.put(found, parent, name)
        item.name = name
        note(Event.RENAMED, found, actor=actor)
