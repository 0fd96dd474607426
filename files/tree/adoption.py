"""Giving files that have no folder their place in the root of their owner.

They come from a release that knew no folders. The migration does it for all there are, a sweep for
those that processes of that release have stored since. Oldest first, so the oldest keeps its name;
equal ones get ` (2)`. Safe to repeat, and to be killed: each batch is one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import OuterRef, Subquery

from files import models
from files.records.names import entry_key, fold_name, numbered

AT_ONCE = 2_000
"""Files that one transaction takes in."""

LOOKED_UP = 5
"""The first number of which it is not known beforehand whether the name with it is taken."""


class Tables(NamedTuple):
    """The models to work on: those of now, or those that a migration knows."""

    file: Any
    folder: Any
    ancestry: Any
    entry: Any
    stored_object: Any


OF_NOW = Tables(
    models.FileRecord, models.Folder, models.Ancestry, models.Entry, models.StoredObject
)


def adopt(
    tables: Tables = OF_NOW, *, using: str = "default", told: Callable[[int], object] | None = None
) -> int:
    """Take in every file without a folder; how many there were. `told` hears of each batch."""
    done = 0
    while True:
        with transaction.atomic(using=using):
            taken_in = _adopt_some(tables, using)
        if not taken_in:
            return done
        done += taken_in
        if told is not None:
            told(taken_in)


def _adopt_some(tables: Tables, using: str) -> int:
    """One batch, in as many statements however many people its files are of."""
    files = tables.file.objects.using(using).filter(folder=None, trashed_at=None)
    found = list(
        files.select_for_update(no_key=True)
        .order_by("place")
        .values_list("pk", "name", "owner_id")[:AT_ONCE]
    )
    if not found:
        return 0
    roots = _roots(tables, using, {owner_id for _, _, owner_id in found})
    entries = tables.entry.objects.using(using)
    wanted = {entry_key(name) for _, name, _ in found}
    for number in range(2, LOOKED_UP):
        wanted |= {entry_key(numbered(name, number)) for _, name, _ in found}
    there: defaultdict[Any, set[str]] = defaultdict(set)
    taken = entries.filter(parent__in=roots.values(), key__in=wanted)
    for parent_id, key in taken.values_list("parent_id", "key"):
        there[parent_id].add(key)
    renamed, new = {}, []
    for pk, name, owner_id in found:
        root = roots[owner_id]
        chosen, number = name, 2
        while entry_key(chosen) in there[root]:
            chosen, number = _next(entries, root, there[root], name, number)
        if chosen != name:
            renamed[pk] = chosen
        there[root].add(entry_key(chosen))
        new.append(tables.entry(parent_id=root, key=entry_key(chosen), file_id=pk))
    entries.bulk_create(new, batch_size=500)
    adopted = tables.file.objects.using(using).filter(pk__in=[pk for pk, _, _ in found])
    root_of_owner = tables.folder.objects.using(using).filter(
        owner_id=OuterRef("owner_id"), parent=None
    )
    creator = tables.stored_object.objects.using(using).filter(pk=OuterRef("current_id"))
    adopted.update(
        folder_id=Subquery(root_of_owner.values("pk")),
        uploaded_by_id=Subquery(creator.values("creator_id")),
    )
    changed = [
        tables.file(pk=pk, name=name, folded_name=fold_name(name)) for pk, name in renamed.items()
    ]
    tables.file.objects.using(using).bulk_update(changed, ["name", "folded_name"], batch_size=200)
    return len(found)


def _roots(tables: Tables, using: str, owners: set[int]) -> dict[int, Any]:
    """The ids of the owners' roots, locked, in the order in which everybody locks them."""
    folders = tables.folder.objects.using(using)
    of_these = folders.filter(owner_id__in=owners, parent=None)
    missing = owners - set(of_these.values_list("owner_id", flat=True))
    if missing:
        # Somebody else may make one at the same moment: theirs is as good.
        made = [tables.folder(owner_id=owner_id) for owner_id in sorted(missing)]
        folders.bulk_create(made, batch_size=500, ignore_conflicts=True)
        ids = folders.filter(owner_id__in=missing, parent=None).values_list("pk", flat=True)
        above = [tables.ancestry(ancestor_id=pk, descendant_id=pk, distance=0) for pk in ids]
        tables.ancestry.objects.using(using).bulk_create(
            above, batch_size=500, ignore_conflicts=True
        )
    locked = of_these.select_for_update(no_key=True).order_by("pk")
    return dict(locked.values_list("owner_id", "pk"))


def _next(entries: Any, root: Any, there: set[str], name: str, number: int) -> tuple[str, int]:
    """The next numbered name to try; what the folder has of the next ones is then known, too."""
    if number >= LOOKED_UP and (number - LOOKED_UP) % 100 == 0:
        ahead = {entry_key(numbered(name, n)) for n in range(number, number + 100)}
        there.update(entries.filter(parent_id=root, key__in=ahead).values_list("key", flat=True))
    return numbered(name, number), number + 1
