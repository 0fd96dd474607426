"""Folders: where files stand, and whose they are. Must never decide who may see one.

A tree has one owner. Its shape is kept twice: each folder names its parent, and the table of
ancestors names every folder above every folder, so that a question about a whole tree is one join
at any depth. `files.tree.placing` alone writes the two.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from files.records.names import MAX_NAME_BYTES, plain_name

DEEPEST = 32
"""How many folders may stand above one another, the root not counted."""


def with_derived(kwargs: dict[str, Any], field: str, derived: set[str]) -> None:
    """Let a `save` of some fields save with one of them what is derived from it."""
    fields = kwargs.get("update_fields")
    if fields is not None and field in fields:
        kwargs["update_fields"] = {*fields, *derived}


class TreeItem(models.Model):
    """What stands in a folder under a name, and can be put away: a file or a folder."""

    kind: ClassVar[str]
    """What people call it."""

    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)
    trashed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
    )

    class Meta:
        abstract = True

    @property
    def container(self) -> Folder | None:
        """The folder that it stands in; None for a root."""
        raise NotImplementedError

    @property
    def container_id(self) -> uuid.UUID | None:
        """Its id, without a look at it."""
        raise NotImplementedError

    @property
    def covered_from_id(self) -> uuid.UUID | None:
        """The lowest folder of which a grant covers it: where it stands; of a folder, itself."""
        return self.container_id


class Folder(TreeItem):
    """A folder. The one without a parent is its owner's root, which has no name.

    `trashed_at` says that this folder was put away: all that is below it sleeps as long.
    """

    kind = "folder"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MAX_NAME_BYTES, blank=True)
    # As a file's.
    plain_name = models.CharField(  # noqa: DJ001  nothing is not an empty name
        max_length=6 * MAX_NAME_BYTES, null=True, editable=False
    )
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, related_name="folders", editable=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="folders", editable=False
    )
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Of what was put away: it goes for good, with all that is in it, whoever dies on the way.
    purged_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager[Folder]]

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["owner"], condition=Q(parent__isnull=True), name="folder_one_root_per_owner"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, trashed_at__isnull=True, name="")
                | (Q(parent__isnull=False) & ~Q(name="")),
                name="folder_root_is_never_put_away",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Not only of those that were put away: SQLite would begin each question of whether a
            # folder sleeps at all of these.
            models.Index(fields=["owner", "trashed_at", "id"], name="folder_trashed"),
            # Whether something sleeps is asked for every row: the few that were put away.
            models.Index(
                fields=["id"], condition=Q(trashed_at__isnull=False), name="folder_put_away"
            ),
            models.Index(
                fields=["id"], condition=Q(plain_name__isnull=True), name="folder_not_plain"
            ),
        ]

    def __str__(self) -> str:
        return self.name or gettext("the files of %(owner)s") % {"owner": self.owner}

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.plain_name = plain_name(self.name)
        with_derived(kwargs, "name", {"plain_name"})
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        if self.is_root:
            return reverse("files:list")
        return reverse("folders:detail", args=[self.pk])

    @property
    def container(self) -> Folder | None:
        return self.parent

    @property
    def container_id(self) -> uuid.UUID | None:
        return self.parent_id

    @property
    def covered_from_id(self) -> uuid.UUID:
        return self.pk

    @property
    def is_root(self) -> bool:
        """Whether it is its owner's root: never granted, moved, renamed or put away."""
        return self.parent_id is None


class Ancestry(models.Model):
    """That one folder stands above another, or is it: the closure of the tree.

    Nothing stands above itself, so a circle has no rows here that the constraint would allow.
    """

    ancestor = models.ForeignKey(
        Folder, on_delete=models.CASCADE, related_name="below", db_index=False
    )
    descendant = models.ForeignKey(Folder, on_delete=models.CASCADE, related_name="above")
    distance = models.PositiveSmallIntegerField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["ancestor", "descendant"], name="ancestry_once"),
            models.CheckConstraint(
                condition=Q(distance=0, ancestor=F("descendant"))
                | (Q(distance__gt=0) & ~Q(ancestor=F("descendant"))),
                name="ancestry_no_circle",
            ),
            models.CheckConstraint(
                condition=Q(distance__lte=DEEPEST), name="ancestry_not_too_deep"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ancestor_id} above {self.descendant_id} by {self.distance}"
