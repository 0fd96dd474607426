"""Names in folders: what a path means. Must never decide who may see what it names."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from files.models.folders import Folder
from files.models.records import FileRecord
from files.records.names import MAX_NAME_BYTES

Item = FileRecord | Folder
"""What a name may stand for."""


class Entry(models.Model):
    """A file or a folder under its name in its folder; what was put away has none.

    One table for both, so that a path means one thing. `key` is `files.records.names.entry_key` of
    the name, and its meaning never changes.
    """

    parent = models.ForeignKey(
        Folder, on_delete=models.CASCADE, related_name="entries", db_index=False
    )
    # Folding makes one character three at most.
    key = models.CharField(max_length=3 * MAX_NAME_BYTES)
    file = models.OneToOneField(
        FileRecord, on_delete=models.CASCADE, null=True, related_name="entry"
    )
    folder = models.OneToOneField(Folder, on_delete=models.CASCADE, null=True, related_name="entry")

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["parent", "key"], name="entry_name_once_per_folder"),
            models.CheckConstraint(
                condition=Q(file__isnull=True, folder__isnull=False)
                | Q(file__isnull=False, folder__isnull=True),
                name="entry_of_file_or_folder",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Lists by name: folders in the one, files in the other. Said of what is there: SQLite
            # takes what is not there for one row, and would look at all of these first.
            models.Index(
                fields=["parent", "key"],
                condition=Q(folder__isnull=False),
                name="entry_folder_names",
            ),
            models.Index(
                fields=["parent", "key"], condition=Q(file__isnull=False), name="entry_file_names"
            ),
        ]

    def __str__(self) -> str:
        return self.key
