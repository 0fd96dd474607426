"""Trees of folders for tests, written to the database as the use cases write them."""

from __future__ import annotations

from accounts.models import User
from files.models import FileRecord, Folder
from files.tree import placing


def folder(owner: User, *names: str) -> Folder:
    """The folder of that path below the owner's root, made where it is not there yet."""
    at = placing.root_of(owner)
    for name in names:
        found = placing.taken(at, name)
        if found is not None and found.folder is not None:
            at = found.folder
        else:
            at = placing.add_folder(at, name, added_by=owner)
    return at


def put(record: FileRecord, where: Folder, *, name: str = "") -> FileRecord:
    """The file, in that folder from now on, and its owner's."""
    placing.leave(record)
    record.folder, record.owner_id = where, where.owner_id
    record.name = placing.free_name(where, name or record.name)
    record.save()
    placing.enter(record, where)
    return record
