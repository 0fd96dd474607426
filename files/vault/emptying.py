"""Emptying the trash: a tree goes for good, in one step for people and in batches for the machine.

One transaction marks the folder, overwrites the keys of all that is in it and says so in the log:
from then on nothing brings it back, and whoever dies, a sweep goes on. Rows and objects follow in
batches. What was put away by itself before stays in the trash by itself. Must never touch a tree
that does not carry the mark.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from django.db import transaction

import audit
from accounts.models import User
from audit import Event
from files.access.principals import Principal
from files.models import Ancestry, FileRecord, Folder, StoredObject
from files.tree import placing
from files.vault.purging import Ending, backups_until, expired, may_purge, overdue
from files.vault.removing import UPLOADED, doom, purge, remove
from runtime import clock

State = StoredObject.State

AT_ONCE = 200
"""Files, and folders, that one transaction takes away."""


def end_tree(
    folder: Folder,
    ending: Ending,
    *,
    actor: User | None,
    by: Principal | None = None,
    now: datetime | None = None,
) -> bool:
    """Let a folder of the trash go for good, with all that is in it; False where it may not.

    When this returns True, nothing of it can be brought back; `finish` takes away what there is.
    """
    with transaction.atomic():
        placing.lock_tree(folder.owner)
        found = Folder.objects.select_related("owner").filter(pk=folder.pk, purged_at=None).first()
        if found is None or not may_purge(found, ending, by=by, now=now):
            return False
        _take_out(found)
        files, folders, size = placing.counts_below(found)
        Folder.objects.filter(pk=found.pk).update(purged_at=clock.now())
        inside = FileRecord.objects.filter(folder__in=placing.below_or_at(found))
        rows = StoredObject.objects.filter(file_id__in=inside.values("pk"))
        doom(rows.exclude(UPLOADED).exclude(state=State.DOOMED))
        audit.record(
            Event.FOLDER_DELETED,
            actor=actor,
            folder_id=str(found.pk),
            files=files,
            folders=folders + 1,
            size=size,
            reason=ending,
            backups_until=backups_until(clock.now()),
        )
    return True


def _take_out(folder: Folder) -> None:
    """What was put away by itself, and lies in this tree, lies in its owner's root from now on."""
    root = placing.root_of(folder.owner)
    inside = placing.below_or_at(folder)
    FileRecord.objects.filter(folder__in=inside, trashed_at__isnull=False).update(folder=root)
    by_itself = Folder.objects.filter(
        pk__in=inside.filter(distance__gt=0), trashed_at__isnull=False
    )
    while (one := by_itself.first()) is not None:
        placing.graft(one, root)


def finish(folder: Folder, *, actor: User | None = None) -> Iterator[int]:
    """Take away what a marked tree has, batch by batch; how many files each had.

    Safe to be killed, and beside another one.
    """
    while count := _end_files(folder, actor):
        yield count
    while _end_folders(folder):
        pass


def _end_files(folder: Folder, actor: User | None) -> int:
    with transaction.atomic():
        inside = FileRecord.objects.filter(folder__in=placing.below_or_at(folder))
        locked = inside.select_for_update(of=("self",)).order_by("pk")
        marked = Folder.objects.filter(pk=folder.pk, purged_at__isnull=False).exists()
        files = list(locked[:AT_ONCE]) if marked else []
        ids = [file.pk for file in files]
        rows = list(StoredObject.objects.filter(file_id__in=ids, state=State.DOOMED))
        FileRecord.objects.filter(pk__in=ids).delete()
        until = backups_until(clock.now())
        for file in files:
            audit.record(
                Event.FILE_DELETED,
                actor=actor,
                file_id=file.pk,
                size=file.size,
                folder_id=str(folder.pk),
                backups_until=until,
            )
        for row in rows:
            transaction.on_commit(partial(purge, row), robust=True)
    return len(files)


def _end_folders(folder: Folder) -> int:
    """The deepest first, and the folder itself with the last of them."""
    with transaction.atomic():
        inside = Ancestry.objects.filter(ancestor=folder.pk, ancestor__purged_at__isnull=False)
        ids = list(inside.order_by("-distance").values_list("descendant", flat=True)[:AT_ONCE])
        Folder.objects.filter(pk__in=ids).delete()
    return len(ids)


# --- What a sweep does ----------------------------------------------------------------------------


def overdue_folders(now: datetime) -> list[Folder]:
    """Folders that are in the trash too long, and those that go already and are not gone."""
    found = overdue(now).select_related("owner").order_by("pk")
    unfinished = Folder.objects.select_related("owner").filter(purged_at__isnull=False)
    return list(found | unfinished)


def overdue_files(now: datetime) -> Iterator[FileRecord]:
    """Files that are in the trash too long."""
    found = FileRecord.objects.filter(expired(now)).order_by("pk")
    last = None
    while page := list((found if last is None else found.filter(pk__gt=last))[:AT_ONCE]):
        yield from page
        last = page[-1].pk


def expire(now: datetime) -> Iterator[int]:
    """Let go for good what was in the trash longer than TRASH_DAYS, batch by batch: how many files.

    Goes on with what was begun, too.
    """
    for folder in overdue_folders(now):
        if folder.purged_at is not None or end_tree(folder, Ending.EXPIRED, actor=None, now=now):
            yield from finish(folder)
    for file in overdue_files(now):
        yield int(remove(file, actor=None, ending=Ending.EXPIRED, now=now))
