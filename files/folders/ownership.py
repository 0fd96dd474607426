"""Handing files and trees over to another owner: the use cases, and what they refuse.

For administrators: a person who leaves is deactivated, and their files wait here for somebody
else. What is handed over goes to the new owner's root, under a free name. Nothing here reads or
writes content. Grants stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from files.errors import QuotaExceeded, VaultError
from files.folders.moving import record_transfer, touched
from files.models import FileRecord, Folder, Item
from files.tree import placing
from files.vault.quota import Allowance

AT_ONCE = 500
"""Files that one step hands over at most: it is one transaction with an event for each."""


class NotTransferred(VaultError):
    """Nothing was handed over. The message says why and what to do."""


def transfer(records: Collection[FileRecord], *, to: User, actor: User) -> int:
    """Make `to` the owner of these files, all of them or none; how many were not theirs before.

    Whoever makes themselves the owner lets themselves in, and is recorded as such. Raises
    NotTransferred when the account is deactivated, or the files do not fit into its quota.
    """
    with transaction.atomic():
        placing.lock_tree(to, *User.objects.filter(pk__in={r.owner_id for r in records}))
        new_owner = _recipient(to)
        wanted = FileRecord.objects.select_for_update(of=("self",), no_key=True).filter(
            pk__in=[record.pk for record in records]
        )
        moving = list(wanted.select_related("owner").exclude(owner=new_owner).order_by("pk"))
        _require_room(new_owner, sum(record.size + record.kept_bytes for record in moving))
        root = placing.root_of(new_owner)
        former = [record.owner for record in moving]
        for record in moving:
            _give(record, root)
        for record, owner in zip(moving, former, strict=True):
            record_transfer(record, owner, new_owner, actor)
    return len(moving)


def transfer_tree(folder: Folder, *, to: User, actor: User) -> bool:
    """Make `to` the owner of a folder and of all that is below it; False where it is theirs.

    Raises as `transfer` does.
    """
    with transaction.atomic():
        placing.lock_tree(to, folder.owner)
        new_owner = _recipient(to)
        found = Folder.objects.select_related("owner").filter(pk=folder.pk).first()
        if found is None or found.is_root:
            raise NotTransferred(
                gettext("That folder does not exist any more: choose another one.")
            )
        if found.owner_id == new_owner.pk:
            return False
        former = found.owner
        _, _, size = placing.counts_below(found)
        _require_room(new_owner, size)
        _give(found, placing.root_of(new_owner))
        record_transfer(found, former, new_owner, actor)
    return True


def _recipient(to: User) -> User:
    # An upload reserves its room under the same lock. Trees are locked before people, everywhere.
    new_owner = User.objects.select_for_update(no_key=True).get(pk=to.pk)
    if not new_owner.is_active:
        raise NotTransferred(
            gettext("%(new_owner)s is deactivated: choose an active account.")
            % {"new_owner": new_owner}
        )
    return new_owner


def _require_room(new_owner: User, size: int) -> None:
    try:
        Allowance(new_owner).check_quota(size)
    except QuotaExceeded as error:
        raise NotTransferred(
            gettext(
                "These files take %(size)s bytes, and the quota of %(new_owner)s leaves "
                "%(limit)s: raise the quota, or choose fewer files."
            )
            % {"size": size, "new_owner": new_owner, "limit": error.limit}
        ) from error


def _give(item: Item, root: Folder) -> None:
    """Put it into the root of its new owner; what was put away stays so."""
    if item.trashed_at is None:
        placing.put(item, root, placing.free_name(root, item.name), **touched(item))
    elif isinstance(item, Folder):
        placing.graft(item, root)
    else:
        FileRecord.objects.filter(pk=item.pk).update(folder=root, **touched(item))
    placing.hand_over(item, root.owner)
