"""Files of an import go back into the folders that they were in; what is gone of these is made.

A folder is the one of its id, if its owner has it still, and else the one of its name in its
place. A name that a file has there by now is given out with a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import audit
from accounts.models import User
from audit import Event
from files.crypto.keyexport.entries import Above
from files.errors import TooDeep
from files.models import FileRecord, Folder
from files.records.names import BadName, clean_folder_name
from files.tree import placing

UNNAMED = "Folder"
"""For a name that no folder could be called: exports may come from elsewhere."""


class Trees:
    """The trees of these owners, locked until the transaction ends, that it is to be for."""

    def __init__(self, owners: Iterable[User]) -> None:
        self._roots = {root.owner_id: root for root in placing.lock_tree(*owners)}
        self._found: dict[tuple[int, object], Folder] = {}

    def put(self, record: FileRecord, above: Iterable[Above]) -> None:
        """Save a new file in its folder, under a free name; what was put away has none."""
        folder = self._folder(record.owner_id, above)
        record.folder = folder
        if record.trashed_at is None:
            record.name = placing.free_name(folder, record.name)
        record.save(force_insert=True)
        if record.trashed_at is None:
            placing.enter(record, folder)

    def told(self, record: FileRecord) -> dict[str, Any]:
        """What an event says of where it is; nothing of the root of its owner."""
        is_root = record.folder is None or record.folder.is_root
        return {} if is_root else {"to_id": str(record.folder_id)}

    def _folder(self, owner_id: int, above: Iterable[Above]) -> Folder:
        at = self._roots[owner_id]
        for one in above:
            found = self._found.get((owner_id, one.folder_id)) or self._there(owner_id, at, one)
            if found is None:
                try:
                    found = self._make(at, one)
                except TooDeep:
                    return at
            self._found[owner_id, one.folder_id] = at = found
        return at

    def _there(self, owner_id: int, parent: Folder, above: Above) -> Folder | None:
        known = Folder.objects.filter(pk=above.folder_id).first()
        if known is not None:
            return known if known.owner_id == owner_id and not known.is_root else None
        if above.trashed_at:
            return None
        taken = placing.taken(parent, _name(above))
        return taken.folder if taken is not None else None

    def _make(self, parent: Folder, above: Above) -> Folder:
        known = Folder.objects.filter(pk=above.folder_id).exists()  # Another's by now.
        folder = placing.add_folder(
            parent,
            placing.free_name(parent, _name(above)),
            added_by=None,
            pk=None if known else above.folder_id,
        )
        audit.record(
            Event.FOLDER_CREATED,
            folder_id=str(folder.pk),
            parent_id=str(parent.pk),
            owner_id=folder.owner_id,
        )
        if above.trashed_at:
            placing.leave(folder)
            folder.trashed_at = datetime.fromisoformat(above.trashed_at)
            folder.save(update_fields=["trashed_at"])
            audit.record(Event.PUT_AWAY, folder_id=str(folder.pk))
        return folder


def _name(above: Above) -> str:
    try:
        return clean_folder_name(above.name)
    except BadName:
        return UNNAMED
