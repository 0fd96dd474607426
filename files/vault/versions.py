"""Former versions of files: a newer one takes a file's place, an older one comes back, one goes.

A version keeps its own object, its own key and its own id. Which may be read is the rule's
(`managed_by`: the owner's, and those who manage), which may end is `purging.may_purge`'s. Must
never change an object: what is current is a matter of rows.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Count, F, OuterRef, QuerySet, Subquery, Value, When

import audit
from accounts.models import User
from audit import Event
from files.access.principals import Principal
from files.access.rule import managed_by
from files.access.statements import reaches
from files.errors import FileDamaged, NoSuchVersion
from files.models import FileRecord, KeptVersion, StoredObject
from files.vault.purging import Ending, backups_until, may_purge, newer_than, outlived
from files.vault.removing import doom, purge
from runtime import clock
from runtime.clock import Now

State = StoredObject.State

AT_ONCE = 500
"""Versions that a sweep looks up at once."""


# --- Reading --------------------------------------------------------------------------------------


def of(record: FileRecord) -> QuerySet[KeptVersion]:
    """Its former versions, the newest first."""
    return record.versions.select_related("object__held_key", "uploaded_by", "file__owner")


def as_it_was(kept: KeptVersion) -> FileRecord:
    """The file as it was in that version, for whatever opens and sends files. Never to be saved."""
    record = copy.copy(kept.file)
    record.former_id = kept.pk
    record.current = kept.object
    for name in ("version", "size", "content_type", "custody", "modified_at", "uploaded_at"):
        setattr(record, name, getattr(kept, name))
    record.uploaded_by = kept.uploaded_by
    return record


def find(record: FileRecord, version: UUID) -> FileRecord:
    """The file as it was in that version. Raises NoSuchVersion."""
    kept = of(record).filter(version=version).first()
    if kept is None:
        raise NoSuchVersion
    return as_it_was(kept)


# --- Which one is current -------------------------------------------------------------------------


def lock(file_id: UUID) -> FileRecord | None:
    """The file with its current object, whose row nobody else changes until the transaction ends.

    A re-encryption and a deletion change the file first, too. Two questions: PostgreSQL looks at a
    row again once it has waited for it, but not at those that the question joins to it. A file
    whose object changed meanwhile would be none.
    """
    if not FileRecord.objects.select_for_update(no_key=True).filter(pk=file_id).first():
        return None
    return FileRecord.objects.select_related("current", "owner").get(pk=file_id)


def step_aside(file: FileRecord) -> KeptVersion:
    """Keep the current version as a former one, so that another can be live. For `lock`ed files."""
    kept = KeptVersion.objects.create(
        file=file,
        object=file.current,
        version=file.version,
        size=file.size,
        content_type=file.content_type,
        custody=file.custody,
        modified_at=file.modified_at,
        uploaded_by_id=file.uploaded_by_id,
        uploaded_at=file.uploaded_at or file.created_at,
        superseded_at=clock.now(),
    )
    StoredObject.objects.filter(pk=file.current_id).update(
        state=Case(
            When(state=State.DAMAGED, then=Value(State.KEPT_DAMAGED)), default=Value(State.KEPT)
        ),
        state_changed_at=Now(),
    )
    file.kept_bytes += file.size
    return kept


def take_place(
    file: FileRecord,
    row: StoredObject,
    *,
    uploader: User,
    content_type: str,
    modified_at: datetime | None,
) -> None:
    """Make a live object the current version of the file that has stepped aside for it."""
    file.current, file.size, file.custody = row, row.size, row.custody
    file.content_type, file.modified_at, file.version = content_type, modified_at, uuid4()
    file.uploaded_by, file.uploaded_at = uploader, clock.now()
    _save(file)
    audit.record(
        Event.VERSION_ADDED,
        actor=uploader,
        file_id=file.pk,
        version=file.version,
        size=file.size,
        custody=file.custody,
        **({"owner_id": file.owner_id} if file.owner_id != uploader.pk else {}),
        ms=round((clock.now() - row.created_at).total_seconds() * 1000),
    )
    prune(file)


def restore(record: FileRecord, version: UUID, *, by: Principal, actor: User) -> FileRecord:
    """Make a former version the current one again; the current one becomes a former version.

    Raises NoSuchVersion, also where the file is no longer the principal's to manage, and
    FileDamaged where the version does not read back.
    """
    with transaction.atomic():
        file, kept = _locked(record, version, by)
        if kept.object.state != State.KEPT:
            raise FileDamaged
        former = step_aside(file)
        # The id of a version is its own: it cannot be a former one and the current one at once.
        kept.delete()
        StoredObject.objects.filter(pk=kept.object_id).update(
            state=State.LIVE, state_changed_at=Now()
        )
        kept.object.state = State.LIVE
        file.current, file.size, file.custody = kept.object, kept.size, kept.custody
        file.content_type, file.modified_at = kept.content_type, kept.modified_at
        file.version = kept.version
        file.uploaded_by_id, file.uploaded_at = kept.uploaded_by_id, kept.uploaded_at
        file.kept_bytes -= kept.size
        _save(file)
        audit.record(
            Event.VERSION_RESTORED,
            actor=actor,
            file_id=file.pk,
            version=file.version,
            former=former.version,
            size=file.size,
        )
    return file


def delete(record: FileRecord, version: UUID, *, by: Principal, actor: User) -> None:
    """Delete a former version for good: the owner's alone.

    Raises NoSuchVersion, also where it is not the principal's to delete.
    """
    with transaction.atomic():
        file, kept = _locked(record, version, by)
        if not may_purge(kept, Ending.DELETED, by=by):
            raise NoSuchVersion
        _end(file, kept, Ending.DELETED, actor)


def _locked(record: FileRecord, version: UUID, by: Principal) -> tuple[FileRecord, KeptVersion]:
    file = lock(record.pk)
    if file is None or not reaches(managed_by, by, file.pk):
        raise NoSuchVersion
    kept = file.versions.select_related("object", "file").filter(version=version).first()
    if kept is None:
        raise NoSuchVersion
    # As damage is marked: under the object's own row.
    kept.object = StoredObject.objects.select_for_update(of=("self",), no_key=True).get(
        pk=kept.object_id
    )
    return file, kept


def _save(file: FileRecord) -> None:
    file.save(
        update_fields=[
            *("current", "size", "custody", "content_type", "modified_at", "version"),
            *("uploaded_by", "uploaded_at", "kept_bytes", "updated_at"),
        ]
    )


# --- Which ones go --------------------------------------------------------------------------------


def prune(file: FileRecord, now: datetime | None = None) -> int:
    """End what of a file's former versions is neither among the newest nor young; how many.

    For a transaction that has `lock`ed the file.
    """
    now = now or clock.now()
    ended = 0
    for kept in file.versions.select_related("object")[settings.KEEP_VERSIONS :]:
        if may_purge(kept, Ending.PRUNED, now=now):
            _end(file, kept, Ending.PRUNED, None)
            ended += 1
    return ended


def prunable(now: datetime) -> QuerySet[KeptVersion]:
    """What `prune` would end, of all files."""
    newer = newer_than(OuterRef("file"), OuterRef("superseded_at"), OuterRef("pk"))
    counted = newer.order_by().values("file").annotate(n=Count("pk")).values("n")
    found = outlived(now).order_by().annotate(newer=Subquery(counted))
    if not settings.KEEP_VERSIONS:
        return found
    return found.filter(newer__gte=settings.KEEP_VERSIONS)


def prune_all(now: datetime) -> Iterator[int]:
    """Prune every file; how many versions ended, file by file. Safe to be killed."""
    while True:
        files = set(prunable(now).values_list("file", flat=True)[:AT_ONCE])
        ended = 0
        for file_id in sorted(files):
            with transaction.atomic():
                file = lock(file_id)
                count = prune(file, now) if file is not None else 0
            ended += count
            yield count
        if not ended:
            return


def _end(file: FileRecord, kept: KeptVersion, ending: Ending, actor: User | None) -> None:
    """End a version that `may_purge` has let go: its key first, then its object."""
    row = kept.object
    kept.delete()
    FileRecord.objects.filter(pk=file.pk).update(kept_bytes=F("kept_bytes") - kept.size)
    file.kept_bytes -= kept.size
    doom(StoredObject.objects.filter(pk=row.pk))
    audit.record(
        Event.VERSION_DELETED,
        actor=actor,
        file_id=file.pk,
        version=kept.version,
        size=kept.size,
        reason=ending,
        backups_until=backups_until(clock.now()),
    )
    transaction.on_commit(partial(purge, row), robust=True)
