"""Where an upload goes: what is fixed when it begins, and what is decided when it is complete.

When it begins: which file it will be a version of, for its keys are bound to that, and whose quota
it counts in. When it is complete: whether its folder is still there and still its uploader's to add
to, and under which name it comes there. Then nothing costs the bytes any more: what cannot go where
it was meant to goes to the uploader's own root, under a free name. Must never touch a byte.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from accounts.models import User
from files.access.principals import Person, Principal
from files.access.rule import addable_by, replaceable_by
from files.access.statements import asked
from files.errors import MayNotAdd, NameTaken, NoSuchFolder
from files.models import Conflict, FileRecord, Folder, Sender, StoredObject
from files.tree import placing
from files.vault import outside, versions
from files.vault.quota import Allowance
from runtime.statements import ID


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an upload is meant to go. Without a folder: to the root of its uploader."""

    folder: Folder | None = None
    conflict: Conflict = Conflict.RENAME
    by: Principal | None = None
    """Who asks for it, where that is not its uploader in person."""
    sender: Sender | None = None
    """Who sends it through a request, which the uploader has made: it goes there or nowhere."""

    @classmethod
    def through(cls, sender: Sender) -> Destination:
        """Where it goes what somebody sends: never a version of anything."""
        return cls(sender.request.folder, by=outside.giver(sender.request), sender=sender)

    @property
    def is_new(self) -> bool:
        """Whether it can be no version of anything: its id is then one that no file has."""
        return self.conflict == Conflict.RENAME

    def payer(self, uploader: User) -> User:
        """Whose quota it counts in: the folder belongs to its owner with all that is in it."""
        return uploader if self.folder is None else self.folder.owner


ROOT = Destination()


class OtherFile(Exception):
    """The object's keys are bound to a file that it cannot become a version of (any more).

    Its bytes have to be written again, under another id.
    """


@dataclass(frozen=True, slots=True)
class Place:
    """Where a complete upload comes to: a folder and a name there, or a file that stands aside."""

    folder: Folder
    name: str
    version_of: FileRecord | None = None
    elsewhere: bool = False
    """Not in the folder that was meant: that is gone, or not the uploader's to add to any more."""


@asked(folder=ID)
def _addable(who: Principal, folder: Any) -> QuerySet[Any, uuid.UUID]:
    return addable_by(who).order_by().filter(pk=folder).values_list("pk", flat=True)[:1]


def begin(uploader: User, name: str, meant: Destination) -> uuid.UUID | None:
    """The file that an upload of that name will be a version of; None where it is to be a new one.

    Raises MayNotAdd; and NameTaken where the name is, and that was to be refused.
    """
    who = meant.by or Person(uploader)
    if meant.sender is not None:
        outside.require_open(meant.sender.request)
    if meant.folder is not None and not _addable(who, folder=meant.folder.pk):
        raise MayNotAdd
    if meant.conflict == Conflict.RENAME:
        return None
    there = placing.taken(meant.folder or placing.root_of(uploader), name)
    if there is not None and meant.conflict == Conflict.REFUSE:
        raise NameTaken(name, uploading=True)
    file = there.file if there is not None else None
    if file is not None and replaceable_by(who).filter(pk=file.pk).exists():
        return file.pk
    return None


def begin_all(names: Sequence[str], meant: Destination) -> None:
    """The same of several files that are each to be new. Raises MayNotAdd, NameTaken."""
    if meant.folder is None or meant.by is None:
        raise ValueError("several files go to a folder, and somebody asks for it")
    if not _addable(meant.by, folder=meant.folder.pk):
        raise MayNotAdd
    require_free(meant.folder, names)


def require_free(folder: Folder, names: Sequence[str]) -> None:
    """Raise NameTaken where one of the names is in the folder, or is among them twice."""
    found = placing.first_taken(folder, names)
    if found is not None:
        raise NameTaken(found, uploading=True)


def file_id_now(row: StoredObject, uploader: User, meant: Destination) -> uuid.UUID:
    """The id that the object's keys would have to be bound to, if it were complete now.

    Another one than its own: its bytes have to be written again, under that id.
    """
    if row.sender_id is not None or meant.is_new or is_free(row.file_id):
        return row.file_id
    if _replaceable(row.file_id, uploader):
        return row.file_id
    return uuid.uuid4()


def decide(row: StoredObject, uploader: User, name: str, meant: Destination, size: int) -> Place:
    """Where a complete upload comes to, with what it takes locked until the transaction ends.

    Raises OtherFile; QuotaExceeded where another person pays than when it began; RequestOver and
    RequestFull of what comes from outside.
    """
    if meant.sender is not None:
        own = outside.lock_place(row, meant.sender, uploader, size)
        return Place(own, placing.free_name(own, name))
    folder, elsewhere = lock_folder(uploader, meant)
    file = None if meant.is_new else versions.lock(row.file_id)
    if file is not None:
        if not _replaceable(file.pk, uploader):
            raise OtherFile
        _charge(row, file.owner, uploader, size)
        parent = file.folder or placing.root_of(file.owner)
        return Place(parent, file.name, version_of=file)
    _charge(row, folder.owner, uploader, size)
    return Place(folder, placing.free_name(folder, name), elsewhere=elsewhere)


def lock_folder(uploader: User, meant: Destination) -> tuple[Folder, bool]:
    """The folder that it goes to, locked; and whether that is another than the one meant."""
    if meant.folder is not None:
        placing.lock_tree(uploader, meant.folder.owner)
        try:
            folder = placing.lock_folder(meant.folder, uploader, meant.folder.owner)
        except NoSuchFolder:
            pass
        else:
            if _addable(Person(uploader), folder=folder.pk):
                return folder, False
    [root] = placing.lock_tree(uploader)
    root.owner = uploader
    return root, meant.folder is not None


def is_free(file_id: uuid.UUID) -> bool:
    """Whether no file has that id."""
    return not FileRecord.objects.filter(pk=file_id).exists()


def _replaceable(file_id: uuid.UUID, uploader: User) -> bool:
    return replaceable_by(Person(uploader)).filter(pk=file_id).exists()


def _charge(row: StoredObject, owner: User, uploader: User, size: int) -> None:
    """Ask the quota of whom it goes to, where that is not whose quota it was reserved in."""
    if owner.pk != (row.charged_to_id or row.creator_id):
        Allowance(owner, uploader=uploader).admit_complete(size, row)
