"""What a use case is about, as it stands once its tree is locked."""

from __future__ import annotations

from django.db.models import QuerySet

from files.models import FileRecord, Folder, Item


def as_it_stands(
    item: Item, *, files: QuerySet[FileRecord], folders: QuerySet[Folder]
) -> Item | None:
    """The item as it is now, if it is among those of its kind, with its owner and its container.

    None as well where it is another owner's by now: that one's tree is not the one that is locked.
    """
    found: Item | None
    if isinstance(item, Folder):
        found = folders.select_related("owner", "parent").filter(pk=item.pk).first()
    else:
        found = files.select_related("owner", "folder").filter(pk=item.pk).first()
    return found if found is not None and found.owner_id == item.owner_id else None
