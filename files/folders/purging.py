"""Deleting for good: what is in the trash goes, at its owner's word and nobody else's.

The page has asked again who it is, and for a tick. Nothing brings it back: its keys are overwritten
in the same transaction. Must never end anything that is not in the trash.
"""

from __future__ import annotations

from django.utils.translation import gettext

from accounts.models import User
from files.access.principals import Principal
from files.errors import VaultError
from files.models import FileRecord, Item
from files.vault import emptying, removing
from files.vault.purging import Ending

MOST_AT_ONCE = 2_000
"""Files that a request takes away itself; what is more, a sweep does."""


class NotInTheTrash(VaultError):
    """Only what was put away before can be deleted for good, and by its owner alone."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "That is not in your trash any more: it was brought back, or deleted for good. "
                "Nothing was changed."
            )
        )


def delete_for_good(item: Item, *, by: Principal, actor: User) -> None:
    """Delete what its owner has in the trash, with all that is in it. Raises NotInTheTrash."""
    if isinstance(item, FileRecord):
        if not removing.remove(item, actor=actor, ending=Ending.DELETED, by=by):
            raise NotInTheTrash
        return
    if not emptying.end_tree(item, Ending.DELETED, actor=actor, by=by):
        raise NotInTheTrash
    done = 0
    for count in emptying.finish(item, actor=actor):
        done += count
        if done >= MOST_AT_ONCE:
            return
