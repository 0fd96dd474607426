"""What a use case is about, as it stands once its tree is locked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from files.access.principals import Principal
from files.access.statements import asked
from files.models import FileRecord, Folder, Item
from runtime.statements import ID

Files = Callable[[Principal], QuerySet[FileRecord]]
Folders = Callable[[Principal], QuerySet[Folder]]


def as_it_stands(item: Item, by: Principal, *, files: Files, folders: Folders) -> Item | None:
    """The item as it is now, if that part of the rule has it, with its owner and its container.

    None as well where it is another owner's by now: that one's tree is not the one that is locked.
    """
    found: list[Folder] | list[FileRecord]
    if isinstance(item, Folder):
        found = _folder(by, part=folders, pk=item.pk)
    else:
        found = _file(by, part=files, pk=item.pk)
    return next((one for one in found if one.owner_id == item.owner_id), None)


@asked(pk=ID)
def _file(by: Principal, part: Files, pk: Any) -> QuerySet[FileRecord]:
    return part(by).select_related("owner", "folder").filter(pk=pk)


@asked(pk=ID)
def _folder(by: Principal, part: Folders, pk: Any) -> QuerySet[Folder]:
    return part(by).select_related("owner", "parent").filter(pk=pk)
