"""Several files and folders at once: all of them are put away, brought back or moved, or none is.

One transaction each, with an event for every item. Who may is asked for each of them, by the same
use cases as for one; must never decide it here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import Max

from accounts.models import User
from files.access.principals import Principal
from files.errors import VaultError
from files.folders import moving, trash
from files.models import Ancestry, Folder, Item
from files.models.folders import DEEPEST
from files.tree import placing


class NotAll(VaultError):
    """Nothing was done, for one of them was refused: `item`, for the reason `why`."""

    def __init__(self, item: Item, why: VaultError) -> None:
        self.item = item
        self.why = why
        super().__init__(f"“{item.name}”: {why}")


def put_away(items: Collection[Item], *, by: Principal, actor: User) -> list[Item]:
    """Put them into the trash; those that were put away just now, and by nobody else before.

    What is below another of them goes first, so that it has a mark of its own. Raises NotAll.
    """
    done = []
    with transaction.atomic():
        placing.lock_tree(*_owners(items))
        for item in _deepest_first(items):
            with _or_none(item):
                if trash.put_away(item, by=by, actor=actor):
                    done.append(item)
    return done


def restore(items: Collection[Item], *, by: Principal, actor: User) -> list[trash.Restored]:
    """Bring them back out of the trash, those above others first. Raises NotAll."""
    done = []
    with transaction.atomic():
        placing.lock_tree(*_owners(items))
        for item in _deepest_first(items)[::-1]:
            with _or_none(item):
                done.append(trash.restore(item, by=by, actor=actor))
    return done


def move(
    items: Collection[Item], target: Folder, *, by: Principal, actor: User, rename: bool = False
) -> list[moving.Moved]:
    """Move them into one folder, in this order. Raises NotAll."""
    done = []
    with transaction.atomic():
        placing.lock_tree(*_owners(items), target.owner)
        for item in items:
            with _or_none(item):
                done.append(moving.move(item, target, by=by, actor=actor, rename=rename))
    return done


@contextmanager
def _or_none(item: Item) -> Iterator[None]:
    try:
        yield
    except VaultError as error:
        raise NotAll(item, error) from error


def _owners(items: Collection[Item]) -> list[User]:
    return list({item.owner_id: item.owner for item in items}.values())


def _deepest_first(items: Collection[Item]) -> list[Item]:
    """Files, and then folders from the bottom up. One query."""
    folders = [one.pk for one in items if isinstance(one, Folder)]
    above = Ancestry.objects.filter(descendant__in=folders).order_by()
    depths = dict(above.values_list("descendant").annotate(depth=Max("distance")))
    return sorted(items, key=lambda one: -depths.get(one.pk, DEEPEST + 1))
