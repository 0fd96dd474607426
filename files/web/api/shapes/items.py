"""Files, folders and pages of them, as the API tells of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema

from files.access.explaining import Access, accesses_of
from files.access.principals import Principal
from files.access.rule import folders_visible_to
from files.lists.rows import Page, Row
from files.models import FileRecord, Folder, Item
from files.web.api.shapes.common import SOME, Level, Strict
from files.web.transfers.downloads import etag_of


class AccessOut(Schema):
    """How far one reaches something, and until when."""

    level: Level
    until: datetime | None = None


class FileOut(Schema):
    """A file."""

    kind: Literal["file"] = "file"
    id: UUID
    name: str
    size: int = Field(description="Bytes.")
    content_type: str
    version: UUID
    etag: str = Field(description="As If-Match takes it; it changes with the content alone.")
    owner: str = Field(description="User name.")
    folder_id: UUID | None = Field(description="Null where the token does not reach it.")
    custody: Literal["managed", "held"]
    created_at: datetime
    modified_at: datetime | None = Field(description="When the original was changed, if told.")
    trashed_at: datetime | None = None
    access: AccessOut | None = Field(description="Null in the trash.")


class FolderOut(Schema):
    """A folder. The one without a name is the root of its owner's files."""

    kind: Literal["folder"] = "folder"
    id: UUID
    name: str
    owner: str = Field(description="User name.")
    parent_id: UUID | None = Field(description="Null of a root, or out of the token's reach.")
    created_at: datetime
    trashed_at: datetime | None = None
    access: AccessOut | None = Field(description="Null in the trash.")


ItemOut = Annotated[FileOut | FolderOut, Field(discriminator="kind")]


class ItemPage(Schema):
    """A page of a list. `next` goes on as `after`; null on the last page."""

    items: list[ItemOut]
    next: str | None
    left_out: bool = Field(
        default=False, description="Of a search: there was more to look through than it may."
    )


class NameIn(Strict):
    """A name for a file or a folder."""

    name: str = Field(max_length=1000, json_schema_extra=SOME)


class PathIn(Strict):
    """The folders of a path, made as far as they are missing."""

    path: str = Field(
        max_length=10_000, description="Names with “/” between them.", json_schema_extra=SOME
    )


class MoveIn(Strict):
    """Where something goes."""

    to: UUID = Field(description="A folder's id.")
    conflict: Literal["refuse", "rename"] = "refuse"


def access_out(access: Access | None) -> AccessOut | None:
    """How far that reaches."""
    if access is None:
        return None
    level: Any = access.level
    return AccessOut(level=level, until=access.until)


def items_out(who: Principal, items: Sequence[Item]) -> list[FileOut | FolderOut]:
    """Files and folders, with how far one reaches each. Four queries at most."""
    awake = [one for one in items if one.trashed_at is None]
    found = accesses_of(who, awake) if awake else {}
    above = _reached(who, {one.container_id for one in items})
    return [_item_out(one, found.get(one.pk), above) for one in items]


def _reached(who: Principal, folders: Collection[UUID | None]) -> set[UUID]:
    wanted = {one for one in folders if one is not None}
    if not wanted:
        return set()
    return set(folders_visible_to(who).filter(pk__in=wanted).values_list("pk", flat=True))


def _item_out(item: Item, access: Access | None, above: set[UUID]) -> FileOut | FolderOut:
    parent = item.container_id if item.container_id in above else None
    if isinstance(item, Folder):
        return FolderOut(
            id=item.pk,
            name=item.name,
            owner=item.owner.username,
            parent_id=parent,
            created_at=item.created_at,
            trashed_at=item.trashed_at,
            access=access_out(access),
        )
    custody: Any = item.custody
    return FileOut(
        id=item.pk,
        name=item.name,
        size=item.size,
        content_type=item.content_type,
        version=item.version,
        etag=etag_of(item),
        owner=item.owner.username,
        folder_id=parent,
        custody=custody,
        created_at=item.created_at,
        modified_at=item.modified_at,
        trashed_at=item.trashed_at,
        access=access_out(access),
    )


def file_out(who: Principal, record: FileRecord) -> FileOut:
    """One file."""
    [found] = items_out(who, [record])
    assert isinstance(found, FileOut)  # noqa: S101 - tells the type checker
    return found


def folder_out(who: Principal, folder: Folder) -> FolderOut:
    """One folder."""
    [found] = items_out(who, [folder])
    assert isinstance(found, FolderOut)  # noqa: S101 - tells the type checker
    return found


def page_out(who: Principal, page: Page) -> ItemPage:
    """A page of a list."""
    rows: Iterable[Row] = page.rows
    return ItemPage(
        items=items_out(who, [row.item for row in rows]),
        next=page.next_cursor or None,
        left_out=page.left_out,
    )
