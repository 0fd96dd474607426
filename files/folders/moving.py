"""Moving files and folders, with all that is below them, to another folder.

Only the owner of a tree takes anything out of it. Who manages a folder by a grant moves within that
folder: one grant covers both ends, so nobody moves to themselves what they were only lent. A move
touches no key and no byte. Into another owner's folder it changes hands: the caller has asked for
the password again, and the event says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import User
from audit import Event
from files.access.principals import Principal
from files.access.rule import addable_by, covered_by_one_grant, folders_visible_to, visible_to
from files.access.statements import reaches
from files.errors import ItemGone, MayNotAdd, MayNotMove, NameTaken, QuotaExceeded
from files.folders.events import note
from files.folders.standing import as_it_stands
from files.models import Folder, Item
from files.tree import placing
from files.vault.quota import Allowance


@dataclass(frozen=True, slots=True)
class Moved:
    """Where it went, and under which name."""

    folder: Folder
    name: str
    changed_hands: bool


def changes_hands(item: Item, target: Folder) -> bool:
    """Whether the move would give it to another owner."""
    return item.owner_id != target.owner_id


def move(item: Item, target: Folder, *, by: Principal, actor: User, rename: bool = False) -> Moved:
    """Move a file or a folder into a folder. With `rename`, a name that is taken gets a number.

    Raises NameTaken, IntoItself, TooDeep, MayNotMove, MayNotAdd, QuotaExceeded of the new owner,
    NoSuchFolder where the target is gone or asleep, and ItemGone where the item is.
    """
    with transaction.atomic():
        placing.lock_tree(item.owner, target.owner)
        target = placing.lock_folder(target)
        found = as_it_stands(item, by, files=visible_to, folders=folders_visible_to)
        source = found.container if found is not None else None
        if found is None or source is None:  # Gone, or a root.
            raise ItemGone
        _may_move(found, source, target, by)
        if source.pk == target.pk:
            return Moved(target, found.name, changed_hands=False)
        former_owner = found.owner
        gives = former_owner.pk != target.owner_id
        if gives:
            _fits(found, target.owner)
        name = _place(found, target, rename=rename)
        if gives:
            placing.hand_over(found, target.owner)
        details = {"from_id": str(source.pk), "to_id": str(target.pk)}
        if gives:
            record_transfer(found, former_owner, target.owner, actor, **details)
        else:
            note(Event.MOVED, found, actor=actor, **details)
    item.name = name
    return Moved(target, name, gives)


def _may_move(item: Item, source: Folder, target: Folder, by: Principal) -> None:
    if item.owner_id == by.user.pk:
        if not reaches(addable_by, by, target.pk):
            raise MayNotAdd
    elif not covered_by_one_grant(by, source, target):
        raise MayNotMove


def _fits(item: Item, new_owner: User) -> None:
    if isinstance(item, Folder):
        _, _, size = placing.counts_below(item)
    else:
        size = item.size + item.kept_bytes
    try:
        Allowance(new_owner).admit_complete(size)
    except QuotaExceeded as error:
        error.args = (
            gettext(
                "What you move takes %(size)s bytes, and %(limit)s are left to the owner of "
                "that folder: choose another folder, or ask an administrator for more."
            )
            % {"size": size, "limit": error.limit},
        )
        raise


def _place(item: Item, target: Folder, *, rename: bool) -> str:
    """Give it its entry under the target; its name there."""
    name = placing.free_name(target, item.name) if rename else item.name
    if not rename and placing.taken(target, name) is not None:
        raise NameTaken(name)
    placing.put(item, target, name, **touched(item))
    return name


def touched(item: Item) -> dict[str, datetime]:
    """What else of its row says that it was moved: files have a time for that."""
    return {} if isinstance(item, Folder) else {"updated_at": timezone.now()}


def record_transfer(item: Item, former: User, new: User, actor: User, **details: str) -> None:
    """The events of a change of owner: of a tree, one that counts what is in it."""
    counted: dict[str, int] = {}
    if isinstance(item, Folder):
        files, folders, size = placing.counts_below(item)
        counted = {"files": files, "folders": folders + 1, "size": size}
    note(
        Event.OWNERSHIP_TRANSFERRED,
        item,
        actor=actor,
        from_user_id=former.pk,
        to_user_id=new.pk,
        **counted,
        **details,
    )
    if new.pk == actor.pk:
        note(Event.SELF_GRANTED, item, actor=actor, level="owner")
