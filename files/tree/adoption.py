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
    files = tables.file.objects.using(using).filter(folder=None, trashed_at=None)
    found = list(
        files.select_for_update().order_by("place").values_list("pk", "name", "owner_id")[:AT_ONCE]
    )
    of_owner: defaultdict[int, list[tuple[Any, str]]] = defaultdict(list)
    for pk, name, owner_id in found:
        of_owner[owner_id].append((pk, name))
    for owner_id, named in of_owner.items():
        _take_in(tables, using, _root(tables, using, owner_id), named)
    return len(found)


def _root(tables: Tables, using: str, owner_id: int) -> Any:
    """The owner's root, locked."""
    roots = tables.folder.objects.using(using)
    root, made = roots.get_or_create(owner_id=owner_id, parent=None)
    if made:
        tables.ancestry.objects.using(using).create(ancestor=root, descendant=root, distance=0)
    return roots.select_for_update(no_key=True).get(pk=root.pk)


def _take_in(tables: Tables, using: str, root: Any, named: list[tuple[Any, str]]) -> None:
    entries = tables.entry.objects.using(using)
    wanted = {entry_key(name) for _, name in named}
    there = set(entries.filter(parent=root, key__in=wanted).values_list("key", flat=True))
    renamed, new = {}, []
    for pk, name in named:
        chosen, number = name, 2
        while entry_key(chosen) in there:
            chosen, number = _next(entries, root, there, name, number)
        if chosen != name:
            renamed[pk] = chosen
        there.add(entry_key(chosen))
        new.append(tables.entry(parent=root, key=entry_key(chosen), file_id=pk))
    entries.bulk_create(new)
    files = tables.file.objects.using(using).filter(pk__in=[pk for pk, _ in named])
    creator = tables.stored_object.objects.using(using).filter(pk=OuterRef("current_id"))
    files.update(folder=root, uploaded_by_id=Subquery(creator.values("creator_id")))
    for pk, name in renamed.items():
        files.filter(pk=pk).update(name=name, folded_name=fold_name(name))


def _next(entries: Any, root: Any, there: set[str], name: str, number: int) -> tuple[str, int]:
    """The next numbered name to try; what the folder has of the next ones is then known, too."""
    if number % 100 == 2:
        ahead = {entry_key(numbered(name, n)) for n in range(number, number + 100)}
        there.update(entries.filter(parent=root, key__in=ahead).values_list("key", flat=True))
    return numbered(name, number), number + 1
