"""Roots, entries and ancestors: the only code that writes them.

Every function that writes is for a transaction that holds `lock_tree` of the owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Max, QuerySet, Sum

from accounts.models import User
from files.errors import IntoItself, NameTaken, NoSuchFolder, TooDeep
from files.models import Ancestry, Entry, FileRecord, Folder, Item
from files.models.folders import DEEPEST
from files.records.names import entry_key, fold_name, numbered, plain_name
from runtime.inserting import insert, insert_unless_taken
from runtime.statements import ID, NUMBER, NUMBERS, TEXT, statement

TRIED_AT_ONCE = 200
"""Numbered names that are looked for in one query."""


def root_of(owner: User) -> Folder:
    """The owner's root; made when it is first asked for. At most three queries."""
    if (found := root_if_made(owner)) is not None:
        return found
    try:
        with transaction.atomic():
            root = Folder(owner=owner, plain_name=plain_name(""))
            insert(root)
            insert(Ancestry(ancestor=root, descendant=root, distance=0))
    except IntegrityError:
        return Folder.objects.get(owner=owner, parent=None)
    return root


def root_if_made(owner: User) -> Folder | None:
    """The owner's root, where anything was ever put into it. One query."""
    return _root.first(owner=owner.pk)


@statement(owner=NUMBER)
def _root(owner: Any) -> QuerySet[Folder]:
    return Folder.objects.filter(owner=owner, parent=None)[:1]


def lock_tree(*owners: User) -> list[Folder]:
    """Lock the roots of these owners until the transaction ends, always in the same order."""
    wanted = {owner.pk: owner for owner in owners}
    if len(wanted) > 1:
        # Before any is locked: who waits for a root that another one makes must not hold one that
        # comes after it.
        there = _with_roots(owners=list(wanted))
        for owner in [wanted[pk] for pk in wanted.keys() - set(there)]:
            root_of(owner)
    locked = _locked_roots(owners=list(wanted)) if wanted else []
    if len(locked) < len(wanted):
        # Somebody has had nothing so far, and nothing is locked.
        for owner in wanted.values():
            root_of(owner)
        locked = _locked_roots(owners=list(wanted))
    return locked


@statement(owners=NUMBERS)
def _with_roots(owners: Any) -> QuerySet[Any, int]:
    """Which of these people have a root."""
    roots = Folder.objects.order_by().filter(parent=None, owner__pk__in=owners)
    return roots.values_list("owner", flat=True)


@statement(owners=NUMBERS)
def _locked_roots(owners: Any) -> QuerySet[Folder]:
    roots = Folder.objects.filter(parent=None, owner__pk__in=owners).order_by("pk")
    return roots.select_for_update(no_key=True)


def lock_folder(folder: Folder, *locked: User) -> Folder:
    """The folder as it stands, once its tree is locked; whoever's it is by then.

    The trees of `locked` are that already. Raises NoSuchFolder where it is gone, or was put away.
    """
    known = {owner.pk for owner in locked}
    for _ in range(10):
        found = Folder.objects.select_related("owner").filter(pk=folder.pk).first()
        if found is None or (found.owner_id in known and is_asleep(found)):
            break
        if found.owner_id in known:
            return found
        lock_tree(found.owner)
        known.add(found.owner_id)
    raise NoSuchFolder


def is_asleep(folder: Folder) -> bool:
    """Whether it was put away, or one above it."""
    return bool(_put_away_above(folder=folder.pk))


@statement(folder=ID)
def _put_away_above(folder: Any) -> QuerySet[Any, UUID]:
    above = Ancestry.objects.order_by().filter(
        descendant=folder, ancestor__trashed_at__isnull=False
    )
    return above.values_list("ancestor", flat=True)[:1]


def add_folder(
    parent: Folder,
    name: str,
    *,
    added_by: User | None,
    pk: UUID | None = None,
    asleep_since: datetime | None = None,
) -> Folder:
    """A new folder of that name; `pk` for one that was there before. Raises NameTaken, TooDeep.

    One that sleeps from its first moment is in nobody's list, and takes no name.
    """
    folder = Folder(name=name, parent=parent, owner_id=parent.owner_id, added_by=added_by)
    folder.pk = pk or folder.pk
    folder.trashed_at = asleep_since
    depth = _depth_of(parent)
    if depth + 1 > DEEPEST:
        raise TooDeep(DEEPEST)
    folder.plain_name = plain_name(name)
    insert(folder)
    table = connection.ops.quote_name(Ancestry._meta.db_table)
    with transaction.mark_for_rollback_on_error(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (ancestor_id, descendant_id, distance)"  # noqa: S608
            f" SELECT ancestor_id, %s, distance + 1 FROM {table} WHERE descendant_id = %s"
            " UNION ALL SELECT %s, %s, 0",
            [_key(folder), _key(parent), _key(folder), _key(folder)],
        )
    if asleep_since is None:
        enter(folder, parent)
    return folder


# --- Names ------------------------------------------------------------------------------------


def taken(parent: Folder, name: str) -> Entry | None:
    """What has that name in the folder."""
    return _taker.first(parent=parent.pk, key=entry_key(name))


@statement(parent=ID, key=TEXT)
def _taker(parent: Any, key: Any) -> QuerySet[Entry]:
    found = Entry.objects.order_by().filter(parent=parent, key=key)
    return found.select_related("file", "folder")[:1]


@statement(parent=ID, key=TEXT)
def _entry(parent: Any, key: Any) -> QuerySet[Any, int]:
    found = Entry.objects.order_by().filter(parent=parent, key=key)
    return found.values_list("pk", flat=True)[:1]


def free_name(parent: Folder, name: str) -> str:
    """That name or, where it is taken, the first of `name (2)`, `name (3)` … that is free."""
    if not _entry(parent=parent.pk, key=entry_key(name)):
        return name
    first = 2
    while True:
        names = {
            entry_key(one): one
            for one in (numbered(name, n) for n in range(first, first + TRIED_AT_ONCE))
        }
        there = set(
            Entry.objects.filter(parent=parent, key__in=names).values_list("key", flat=True)
        )
        for key, one in names.items():
            if key not in there:
                return one
        first += TRIED_AT_ONCE


def first_taken(parent: Folder, names: Sequence[str]) -> str | None:
    """The first of these names that is taken in the folder, or that another one before it takes."""
    keys = [entry_key(name) for name in names]
    there = Entry.objects.filter(parent=parent, key__in=keys)
    seen = set(there.values_list("key", flat=True))
    for name, key in zip(names, keys, strict=True):
        if key in seen:
            return name
        seen.add(key)
    return None


def enter_all(files: Sequence[FileRecord], parent: Folder) -> None:
    """Give files their entries in the folder, where their names are free. Raises IntegrityError."""
    Entry.objects.bulk_create(
        [Entry(parent=parent, key=entry_key(file.name), file=file) for file in files]
    )


def enter(item: Item, parent: Folder) -> None:
    """Give an item its entry in the folder, under its name. Raises NameTaken, IntegrityError."""
    entry = Entry(parent=parent, key=entry_key(item.name), **{item.kind: item})
    if not insert_unless_taken(entry):
        if not Entry.objects.filter(parent=parent, key=entry.key).exists():
            raise IntegrityError(f"{item.kind} {item.pk} can have no entry in {parent.pk}")
        raise NameTaken(item.name)


def leave(item: Item) -> None:
    """Take its entry away: its name is free."""
    Entry.objects.filter(**{item.kind: item.pk}).delete()


def put(item: Item, parent: Folder, name: str, **fields: Any) -> None:
    """Give an item its place and its name, in its row and by its entry; `fields` change with them.

    Raises NameTaken; of a folder, IntoItself and TooDeep.
    """
    leave(item)
    item.name = name
    if isinstance(item, Folder):
        if item.parent_id != parent.pk:
            graft(item, parent)
    else:
        fields |= {"folder": parent, "folded_name": fold_name(name)}
    plain = plain_name(name)
    row = type(item)._base_manager.filter(pk=item.pk)
    row.update(name=name, plain_name=plain, **fields)
    if not name.isascii():
        # Where only accents change, the database takes it for a name that was changed alone.
        row.filter(plain_name=None).update(plain_name=plain)
    enter(item, parent)


# --- Moves ------------------------------------------------------------------------------------


def graft(folder: Folder, parent: Folder) -> None:
    """Put a folder with all that is below it under another one. Raises IntoItself, TooDeep.

    Its entry is the caller's.
    """
    if Ancestry.objects.filter(ancestor=folder.pk, descendant=parent.pk).exists():
        raise IntoItself
    height = Ancestry.objects.filter(ancestor=folder.pk).aggregate(n=Max("distance"))["n"] or 0
    if _depth_of(parent) + 1 + height > DEEPEST:
        raise TooDeep(DEEPEST)
    table = connection.ops.quote_name(Ancestry._meta.db_table)
    with connection.cursor() as cursor:
        # What is above the folder is no longer above what is below it …
        cursor.execute(
            f"DELETE FROM {table} WHERE descendant_id IN"  # noqa: S608
            f" (SELECT descendant_id FROM {table} WHERE ancestor_id = %s)"
            f" AND ancestor_id IN (SELECT ancestor_id FROM {table}"
            " WHERE descendant_id = %s AND distance > 0)",
            [_key(folder), _key(folder)],
        )
        # … and what is above its new parent is.
        cursor.execute(
            f"INSERT INTO {table} (ancestor_id, descendant_id, distance)"  # noqa: S608
            " SELECT above.ancestor_id, below.descendant_id, above.distance + below.distance + 1"
            f" FROM {table} AS above CROSS JOIN {table} AS below"
            " WHERE above.descendant_id = %s AND below.ancestor_id = %s",
            [_key(parent), _key(folder)],
        )
    folder.parent = parent
    folder.save(update_fields=["parent"])


def _key(folder: Folder) -> Any:
    """Its id as this database keeps it."""
    return Folder._meta.pk.get_db_prep_value(folder.pk, connection)


def hand_over(item: Item, to: User) -> None:
    """Make a file, or a folder and all that is below it with its files, another owner's.

    Of a tree in three statements, however much it holds.
    """
    if isinstance(item, Folder):
        below = below_or_at(item)
        FileRecord.objects.filter(folder__in=below).update(owner=to)
        Folder.objects.filter(pk__in=below).update(owner=to)
    else:
        FileRecord.objects.filter(pk=item.pk).update(owner=to)
    item.owner = to


# --- Questions --------------------------------------------------------------------------------


def below_or_at(folder: Folder) -> QuerySet[Ancestry, UUID]:
    """The ids of a folder and of all below it, as a subquery."""
    return Ancestry.objects.filter(ancestor=folder.pk).values_list("descendant", flat=True)


def path_of(folder: Folder) -> list[Folder]:
    """The folders above it and itself, the root first. One query."""
    above = Folder.objects.filter(below__descendant=folder.pk).order_by("-below__distance")
    return list(above)


def counts_below(folder: Folder) -> tuple[int, int, int]:
    """How many files and folders are below it, and the files' bytes with former versions."""
    files = FileRecord.objects.filter(folder__in=below_or_at(folder))
    found = files.aggregate(n=Count("pk"), size=Sum(F("size") + F("kept_bytes")))
    folders = Ancestry.objects.filter(ancestor=folder.pk, distance__gt=0).count()
    return found["n"], folders, found["size"] or 0


def is_within(folder: Folder, above: Folder) -> bool:
    """Whether a folder is another one, or below it."""
    return Ancestry.objects.filter(ancestor=above.pk, descendant=folder.pk).exists()


def _depth_of(folder: Folder) -> int:
    """How many folders stand above it."""
    return next(iter(_distances(folder=folder.pk)), 0)


@statement(folder=ID)
def _distances(folder: Any) -> QuerySet[Any, int]:
    """How far the highest folder above it is."""
    above = Ancestry.objects.order_by("-distance").filter(descendant=folder)
    return above.values_list("distance", flat=True)[:1]
